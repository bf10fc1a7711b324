/** Reads the output and the dead letters as they grow, each record once and in its order, and tells the ledger. */
import type { Consumer, Kafka, KafkaMessage } from "kafkajs"
import { setTimeout as sleep } from "node:timers/promises"
import type { Ledger, Written } from "./ledger.ts"
import type { Names } from "./world.ts"

export interface ReaderOptions {
  readonly client: Kafka
  readonly names: Names
  readonly ledger: Ledger
  readonly onViolation: (text: string) => void
}

/** A consumer of kafkajs that says nothing for so long is replaced. */
const silenceMs = 20_000

export class Reader {
  private readonly options: ReaderOptions
  /** The next offset of each partition of each topic. */
  private readonly positions = new Map<string, number>()
  private consumer: Consumer | undefined
  private lastSign = Date.now()
  private watch: NodeJS.Timeout | undefined
  private replacing: Promise<void> = Promise.resolve()
  private stopped = false

  constructor(options: ReaderOptions) {
    this.options = options
  }

  async start(): Promise<void> {
    await this.connect()
    this.watch = setInterval(() => {
      if (Date.now() - this.lastSign < silenceMs) return
      this.lastSign = Date.now()
      this.replacing = this.replacing.then(() => this.replace())
    }, 1_000)
  }

  async stop(): Promise<void> {
    this.stopped = true
    clearInterval(this.watch)
    await this.replacing
    await this.consumer?.disconnect()
  }

  position(topic: string, partition: number): number {
    return this.positions.get(`${topic} ${partition}`) ?? 0
  }

  /** `false`: it was not reached in time. */
  async reached(
    ends: ReadonlyArray<{ readonly topic: string; readonly partition: number; readonly offset: number }>,
    timeoutMs: number
  ): Promise<boolean> {
    const deadline = Date.now() + timeoutMs
    while (ends.some(({ offset, partition, topic }) => this.position(topic, partition) < offset)) {
      if (Date.now() > deadline) return false
      await sleep(20)
    }
    return true
  }

  private async replace(): Promise<void> {
    await this.consumer?.disconnect().catch(() => undefined)
    if (this.stopped) return
    await this.connect().catch(() => undefined)
  }

  private async connect(): Promise<void> {
    const { client, names } = this.options
    const consumer = client.consumer({
      groupId: `${names.group}-reader`,
      maxWaitTimeInMs: 100,
      sessionTimeout: 10_000,
      heartbeatInterval: 1_000,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 30 }
    })
    this.consumer = consumer
    const sign = () => {
      this.lastSign = Date.now()
    }
    consumer.on(consumer.events.FETCH, sign)
    await consumer.connect()
    await consumer.subscribe({ topics: [names.output, names.deadLetters], fromBeginning: true })
    await consumer.run({
      // Only so that a consumer that starts anew need not read everything again: what counts are our own positions.
      autoCommitInterval: 2_000,
      partitionsConsumedConcurrently: 4,
      eachBatch: async ({ batch }) => {
        if (this.consumer === consumer) {
          for (const message of batch.messages) this.read(batch.topic, batch.partition, message)
        }
      }
    })
  }

  private read(topic: string, partition: number, message: KafkaMessage): void {
    const offset = Number(message.offset)
    const position = this.position(topic, partition)
    if (offset < position) return
    if (offset > position) {
      // The output is not compacted and has no transactions: without a gap in the reading there is none in the log.
      this.options.onViolation(`the output's partition ${partition} has no offset ${position}, but ${offset}`)
    }
    this.positions.set(`${topic} ${partition}`, offset + 1)
    this.options.ledger.observe(
      topic === this.options.names.output ? relayed(message) : deadLetter(message)
    )
  }
}

const common = ({ key, timestamp, value }: KafkaMessage) => ({
  key: key === null ? null : key.toString(),
  id: (JSON.parse(value!.toString()) as { readonly id: number }).id,
  atMs: Number(timestamp)
})

const relayed = (message: KafkaMessage): Written => ({
  ...common(message),
  topic: "output",
  sourcePartition: Number(String(message.headers?.["source-partition"])),
  sourceOffset: Number(String(message.headers?.["source-offset"])),
  member: String(message.headers?.["member"])
})

const deadLetter = (message: KafkaMessage): Written => ({
  ...common(message),
  topic: "dead letters",
  sourcePartition: (message.headers!["kafka_dlt-original-partition"] as Buffer).readInt32BE(),
  sourceOffset: Number((message.headers!["kafka_dlt-original-offset"] as Buffer).readBigInt64BE()),
  member: ""
})
