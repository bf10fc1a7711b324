/** Fills the input, paced, and knows exactly what was acknowledged. */
import type { Kafka, Message, Producer } from "kafkajs"
import { setTimeout as sleep } from "node:timers/promises"
import type { Draws } from "./draws.ts"
import type { Ledger } from "./ledger.ts"

export interface FillerOptions {
  readonly client: Kafka
  readonly topic: string
  readonly partitions: number
  readonly rate: number
  readonly durationMs: number
  readonly draws: Draws
  readonly ledger: Ledger
  readonly signal: AbortSignal
}

const tickMs = 25
const largestSend = 1_000
const keysPerPartition = 40
const padding = "0123456789".repeat(200)

export class Filler {
  private readonly options: FillerOptions
  private id = 0
  /** Records whose send failed: in the input or not, nobody knows. */
  unknown = 0

  constructor(options: FillerOptions) {
    this.options = options
  }

  async run(): Promise<void> {
    const { client, durationMs, rate, signal } = this.options
    // Its idempotence is not used: after a failed request kafkajs gives sequence numbers out twice.
    const producer = client.producer({ allowAutoTopicCreation: false })
    await producer.connect()
    const startedAt = performance.now()
    let sent = 0
    while (!signal.aborted) {
      const elapsedMs = performance.now() - startedAt
      if (elapsedMs >= durationMs && sent >= rate * durationMs / 1_000) break
      // It comes in waves: for some seconds more than the rate, for some less.
      const due = rate * Math.min(elapsedMs, durationMs) / 1_000 * (1 + 0.15 * wave(elapsedMs, durationMs)) - sent
      const count = Math.min(largestSend, Math.ceil(due))
      if (count > 0) {
        await this.send(producer, count)
        sent += count
      }
      await sleep(tickMs)
    }
    await producer.disconnect()
  }

  private async send(producer: Producer, count: number): Promise<void> {
    const { ledger, topic } = this.options
    const messages = Array.from({ length: count }, () => this.message())
    const byPartition = new Map<number, Array<number>>()
    for (const { id, message } of messages) {
      const ids = byPartition.get(message.partition!)
      if (ids === undefined) byPartition.set(message.partition!, [id])
      else ids.push(id)
    }
    try {
      const written = await producer.send({ topic, acks: -1, messages: messages.map(({ message }) => message) })
      for (const { baseOffset, errorCode, partition } of written) {
        const ids = byPartition.get(partition)
        if (errorCode !== 0 || ids === undefined || baseOffset === undefined) continue
        byPartition.delete(partition)
        ids.forEach((id, i) => ledger.acknowledge(partition, Number(baseOffset) + i, id))
      }
    } catch {
      // Not acknowledged: it may be in the input all the same, and is then relayed, but nobody was promised it.
    }
    for (const ids of byPartition.values()) this.unknown += ids.length
  }

  private message(): { readonly id: number; readonly message: Message } {
    const { draws, partitions } = this.options
    const id = this.id++
    const partition = draws.between(0, partitions - 1)
    // Some keys come far more often than others, and some records have none.
    const key = draws.fraction() < 0.02
      ? null
      : `${partition}-${Math.floor(keysPerPartition * draws.fraction() ** 3)}`
    const poison = draws.fraction() < 0.002 ? { poison: true } : {}
    const value = JSON.stringify({
      id,
      ...poison,
      padding: padding.slice(0, Math.floor(2_000 * draws.fraction() ** 4))
    })
    return { id, message: { partition, key, value } }
  }
}

/** From -1 to 1 and back, four times a minute; 0 at the end, so that the whole has the rate. */
const wave = (elapsedMs: number, durationMs: number): number =>
  elapsedMs >= durationMs
    ? 0
    : Math.sin(elapsedMs / 15_000 * 2 * Math.PI) * Math.min(1, 15_000 / Math.max(1, elapsedMs))
