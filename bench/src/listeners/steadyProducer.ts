/**
 * `node bench/src/listeners/steadyProducer.ts JSON`: records at a constant rate, each sent when it is due and never waiting for the
 * answer to the one before, so that whatever becomes slow is seen in all records that it held up. A process of its own: its
 * pauses are not those of the consumer, and each record tells how late it was sent. To all partitions in turn.
 */
import { Producer } from "@platformatic/kafka"
import { setTimeout as sleep } from "node:timers/promises"
import { dueAt, dueBy, encode } from "./steadyRecord.ts"

export interface SteadyFlow {
  readonly brokers: ReadonlyArray<string>
  readonly topic: string
  readonly partitions: number
  readonly records: number
  readonly perSecond: number
  readonly bytes: number
}

const { brokers, bytes, partitions, perSecond, records, topic } = JSON.parse(process.argv[2]!) as SteadyFlow
const producer = new Producer({ clientId: "bench-steady", bootstrapBrokers: [...brokers], autocreateTopics: false })
await producer.metadata({ topics: [topic] })

const startNs = process.hrtime.bigint()
const schedule = { startNs, perSecond, records }
const underWay = new Set<Promise<unknown>>()
for (let sent = 0; sent < records;) {
  const nowNs = process.hrtime.bigint()
  const due = dueBy(nowNs, schedule)
  if (due > sent) {
    const messages = Array.from({ length: due - sent }, (_, i) => {
      const index = sent + i
      const dueNs = dueAt(index, startNs, perSecond)
      return { topic, partition: index % partitions, value: encode({ index, dueNs, sentNs: nowNs }, bytes) }
    })
    // A failure is thrown by the await below, or, sooner, ends the process by itself.
    const sending: Promise<unknown> = producer.send({ messages, acks: 1 }).then(() => underWay.delete(sending))
    underWay.add(sending)
    sent = due
  }
  await sleep(1)
}
await Promise.all(underWay)
await producer.close()
