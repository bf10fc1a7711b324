/**
 * What arrives.
 */
import type { OutgoingRecord } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import type { Behaviour } from "../../ConformanceEnv.ts"
import * as Fixtures from "../../Fixtures.ts"
import { same, pass, drive, eventually, bench, numbered, offsetsOf, upTo, keptTheRules, behaviour } from "./bench.ts"

const header = (name: string, value: string | Uint8Array | null) => ({
  name,
  value: typeof value === "string" ? new TextEncoder().encode(value) : value
})

export const delivering: ReadonlyArray<Behaviour> = [
  behaviour("deliver: keys, values, headers and times arrive as they were written", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const invalid = Uint8Array.of(0xff, 0xfe, 0x41)
      const written: ReadonlyArray<OutgoingRecord> = [
        Fixtures.outgoing({ key: "a", value: "1", timestamp: 1_700_000_000_001 }),
        Fixtures.outgoing({ key: null, value: "no key", timestamp: 1_700_000_000_002 }),
        Fixtures.outgoing({ key: "tombstone", value: null, timestamp: 1_700_000_000_003 }),
        Fixtures.outgoing({ key: "", value: "", timestamp: 1_700_000_000_004 }),
        Fixtures.outgoing({
          key: "headers",
          value: "v",
          headers: [header("x", "1"), header("y", ""), header("x", "2"), header("bytes", invalid)],
          timestamp: 1_700_000_000_005
        })
      ]
      yield* b.write(written)
      const probe = yield* b.member()
      yield* eventually("all records", () => probe.records.length === written.length)
      const plain = (r: {
        readonly key: Uint8Array | null
        readonly value: Uint8Array | null
        readonly headers: OutgoingRecord["headers"]
        readonly timestamp?: number | undefined
      }) => ({
        key: r.key === null ? null : [...r.key],
        value: r.value === null ? null : [...r.value],
        headers: r.headers.map((h) => [h.name, h.value === null ? null : [...h.value]]),
        timestamp: r.timestamp
      })
      for (const [i, record] of probe.records.entries()) yield* same(plain(record), plain(written[i]!), `record ${i}`)
      yield* keptTheRules(probe)
    })),

  behaviour(
    "deliver: all records of all partitions arrive once and in order, within small limits",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(3)
        yield* b.write(numbered(900, { partitions: 3 }))
        const probe = yield* b.member({ with: { maxPartitionFetchBytes: 1_024, fetchMaxBytes: 2_048 } })
        yield* eventually("all records", () => probe.records.length >= 900)
        yield* pass("500 millis")
        for (const n of [0, 1, 2]) yield* same(offsetsOf(probe, n), upTo(300), `offsets of partition ${n}`)
        yield* keptTheRules(probe)
      })
  ),

  behaviour("deliver: a record larger than the fetch limits arrives all the same", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      yield* b.write([Fixtures.outgoing({ key: "big", value: "x".repeat(50_000) }), ...numbered(3)])
      const probe = yield* b.member({ with: { maxPartitionFetchBytes: 1_000, fetchMaxBytes: 1_000 } })
      yield* eventually("all records", () => probe.records.length === 4)
      yield* same(probe.records[0]!.value!.length, 50_000, "length of the first value")
      yield* keptTheRules(probe)
    })),

  behaviour("deliver: the end of the log that comes with a batch is true", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      yield* b.write(numbered(50))
      const probe = yield* b.member()
      yield* eventually("all records", () => probe.records.length === 50)
      yield* same(probe.batches.at(-1)!.highWatermark, 50n, "high watermark")
      yield* same(probe.batches.at(-1)!.nextOffset, 50n, "next offset")
    })),

  behaviour("deliver: signs of life come from fetches and from heartbeats", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const probe = yield* b.member()
      yield* eventually("both signs", () => probe.alive.fetch > 1 && probe.alive.heartbeat > 1)
    })),

  behaviour("deliver: interrupting run stops the fetching", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      yield* b.write(numbered(10))
      const probe = yield* b.member()
      yield* eventually("the first records", () => probe.records.length === 10)
      yield* drive(probe.interrupt)
      yield* b.write(numbered(10))
      yield* pass("1 second")
      yield* same(probe.records.length, 10, "records")
    }))
]
