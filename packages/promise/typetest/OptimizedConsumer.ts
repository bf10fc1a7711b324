/** What is inferred, and what is refused. */
import { createOptimizedConsumer, Decoder, type WeftRecord } from "@weft/promise"

interface Order {
  readonly id: number
}

declare const parse: (value: unknown) => Order

export const inferred = async (): Promise<void> => {
  const consumer = await createOptimizedConsumer({
    service: "s",
    topics: ["t"],
    brokers: "b:9092",
    value: Decoder.json(parse),
    key: Decoder.bytes
  })
  await consumer.run({
    eachRecord: (record) => {
      const { key, value }: { readonly key: Uint8Array | null; readonly value: Order } = record
      return [key, value]
    }
  })
  for await (const record of consumer) {
    const id: number = record.value.id
    await record.reject(id)
  }
  consumer.on("committed", ({ offsets }) => offsets[0]!.offset satisfies bigint)
}

export const asserted = async (): Promise<void> => {
  const consumer = await createOptimizedConsumer<Order>({ service: "s", topics: /t.*/, brokers: ["b:9092"] })
  await consumer.run({ eachBatch: (records: ReadonlyArray<WeftRecord<Order>>) => records.length })
  // @ts-expect-error one of the two handlers
  await consumer.run({ eachBatch: () => undefined, eachRecord: () => undefined })
  // @ts-expect-error no handler
  await consumer.run({})
}

export const tombstones = async (): Promise<void> => {
  const common = { service: "s", topics: ["t"], brokers: "b:9092" } as const
  await createOptimizedConsumer<Order | null>({ ...common, tombstones: "process" })
  await createOptimizedConsumer<Order>({ ...common, tombstones: "skip" })
  // @ts-expect-error the type of values has no null
  await createOptimizedConsumer<Order>({ ...common, tombstones: "process" })
}
