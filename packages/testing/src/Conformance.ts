/**
 * What every transport does, as data: a list of named behaviours of the SPI. The same list runs on the in-memory cluster
 * under the test clock and on real Kafka; a transport that does not pass it is none.
 *
 * ```ts
 * for (const { name, run } of Conformance.behaviours) {
 *   it.effect(name, () => run.pipe(Effect.provide([MemoryCluster.layer, Conformance.layerTestClock])))
 *   it.live(name, () => run.pipe(Effect.provide([KafkaJs.layer({ brokers }), Conformance.layerLive])), 60_000)
 * }
 * ```
 *
 * @since 0.1.0
 */
import * as Settings from "@weft/kafka/ConsumerSettings"
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import {
  type OutgoingRecord,
  type PartitionRecords,
  type ProducerSettings,
  Transport,
  type TransportAdmin,
  type TransportProducer
} from "@weft/kafka/Transport"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as Fixtures from "./Fixtures.ts"
import * as Probe from "./Probe.ts"

/**
 * The transport does not do what it should.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConformanceError extends Data.TaggedError("ConformanceError")<{ readonly message: string }> {}

/**
 * How time goes by where the suite runs.
 *
 * @category services
 * @since 0.1.0
 */
export class ConformanceEnv extends Context.Service<ConformanceEnv, {
  /** Lets time go by. */
  readonly pass: (duration: Duration.Input) => Effect.Effect<void>
  /** Runs an effect that may need time to go by. */
  readonly drive: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** How long the suite waits for what must happen, in milliseconds. */
  readonly patienceMs: number
}>()("@weft/testing/ConformanceEnv") {}

/**
 * Under `TestClock`: the suite moves it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTestClock: Layer.Layer<ConformanceEnv> = Layer.succeed(ConformanceEnv, {
  pass: TestClock.adjust,
  drive: Fixtures.driving,
  patienceMs: 60_000
})

/**
 * On the live clock, for real brokers.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerLive: Layer.Layer<ConformanceEnv> = Layer.succeed(ConformanceEnv, {
  pass: Effect.sleep,
  drive: (effect) => effect,
  patienceMs: 30_000
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Behaviour {
  readonly name: string
  /** Fails with a `ConformanceError`, or with whatever the transport failed with. */
  readonly run: Effect.Effect<void, unknown, Transport | ConformanceEnv>
}

// --- What the behaviours are written with ------------------------------------------------------------------------------

const check = (condition: boolean, message: string): Effect.Effect<void, ConformanceError> =>
  condition ? Effect.void : Effect.fail(new ConformanceError({ message }))

const show = (value: unknown): string => JSON.stringify(value, (_, v: unknown) => typeof v === "bigint" ? `${v}n` : v)

const same = (actual: unknown, expected: unknown, what: string): Effect.Effect<void, ConformanceError> =>
  check(show(actual) === show(expected), `${what}: expected ${show(expected)}, got ${show(actual)}`)

const pass = (duration: Duration.Input) => Effect.flatMap(ConformanceEnv, (env) => env.pass(duration))

const drive = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | ConformanceEnv> =>
  Effect.flatMap(ConformanceEnv, (env) => env.drive(effect))

/** Waits until something holds, and fails where it never does. */
const eventually = Effect.fnUntraced(function*(what: string, holds: () => boolean) {
  const env = yield* ConformanceEnv
  const giveUpAt = (yield* Clock.currentTimeMillis) + env.patienceMs
  while (!holds()) {
    if ((yield* Clock.currentTimeMillis) >= giveUpAt) {
      return yield* new ConformanceError({ message: `never: ${what}` })
    }
    yield* env.pass("20 millis")
  }
})

/** Waits until the cluster answers what it should: brokers hear of a change one after the other. */
const becomes = Effect.fnUntraced(function*<A, E, R>(what: string, effect: Effect.Effect<A, E, R>, expected: A) {
  const env = yield* ConformanceEnv
  const giveUpAt = (yield* Clock.currentTimeMillis) + env.patienceMs
  for (let actual = yield* drive(effect); show(actual) !== show(expected); actual = yield* drive(effect)) {
    if ((yield* Clock.currentTimeMillis) >= giveUpAt) return yield* same(actual, expected, what)
    yield* env.pass("50 millis")
  }
})

const producerSettings: ProducerSettings = {
  clientId: "conformance",
  acks: -1,
  enableIdempotence: true,
  compressionType: "none",
  requestTimeoutMs: 30_000,
  retryBackoffMs: 100,
  deliveryTimeoutMs: 60_000
}

/** Short times, so that a rebalance on a live broker takes a second and not a minute. */
const settings = (groupId: string, over?: Partial<Settings.ConsumerSettings>): Settings.ConsumerSettings =>
  Settings.make({
    groupId,
    clientId: "conformance",
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 500,
    maxPollIntervalMs: 20_000,
    fetchMaxWaitMs: 200,
    ...over
  })

interface Bench {
  readonly topic: string
  readonly group: string
  readonly admin: TransportAdmin
  readonly producer: TransportProducer
  /** Writes records, each to its partition (default 0), in order. */
  readonly write: (
    records: ReadonlyArray<OutgoingRecord & { readonly partition?: number }>
  ) => Effect.Effect<void, KafkaError, ConformanceEnv>
  readonly member: (
    options?: Partial<Probe.ProbeOptions> & {
      readonly with?: Partial<Settings.ConsumerSettings>
    }
  ) => Effect.Effect<Probe.Probe, KafkaError, Transport | Scope.Scope | ConformanceEnv>
  readonly partition: (n: number) => TopicPartition.TopicPartition
}

/** A topic and a group of its own, gone when the behaviour has been seen. */
const bench = Effect.fnUntraced(function*(partitions: number, configs?: Readonly<Record<string, string>>) {
  const transport = yield* Transport
  const env = yield* ConformanceEnv
  const topic = yield* Fixtures.uniqueName("conformance")
  const group = yield* Fixtures.uniqueName("conformance-group")
  const admin = yield* drive(transport.admin)
  const producer = yield* drive(transport.producer(producerSettings))
  yield* drive(admin.createTopics([{ name: topic, partitions, configs }]))
  yield* Effect.addFinalizer(() => Effect.ignore(env.drive(admin.deleteTopics([topic]))))
  const it: Bench = {
    topic,
    group,
    admin,
    producer,
    write: (records) => {
      const parts = new Map<number, Array<OutgoingRecord>>()
      for (const { partition = 0, ...record } of records) {
        const part = parts.get(partition)
        if (part === undefined) parts.set(partition, [record])
        else part.push(record)
      }
      return Effect.asVoid(drive(producer.send(
        [...parts].map(([partition, records]): PartitionRecords => ({ topic, partition, records }))
      )))
    },
    member: ({ with: over, ...options } = {}) =>
      drive(Probe.open({
        subscription: { _tag: "Topics", topics: [topic] },
        settings: settings(group, over),
        ...options
      })),
    partition: (n) => TopicPartition.make(topic, n)
  }
  return it
})

const numbered = (count: number, options?: Parameters<typeof Fixtures.numbered>[1]) =>
  Fixtures.numbered(count, options).map(({ partition, ...record }) => ({ partition, ...Fixtures.outgoing(record) }))

const offsetsOf = (probe: Probe.Probe, partition: number): ReadonlyArray<number> =>
  probe.records.filter((r) => r.partition === partition).map((r) => Number(r.offset))

const upTo = (count: number, from = 0): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => from + i)

const keptTheRules = (...probes: ReadonlyArray<Probe.Probe>): Effect.Effect<void, ConformanceError> =>
  same(probes.flatMap((p) => p.violations), [], "rules broken")

const joined = (probe: Probe.Probe) => eventually("the member has joined", () => probe.assignments.length > 0)

/** Members that share the partitions, each of them once, and none without any. */
const shared = (partitions: number, ...probes: ReadonlyArray<Probe.Probe>) =>
  eventually(`${probes.length} members share ${partitions} partitions`, () => {
    const held = probes.map((p) => p.held())
    return held.every((h) => h.size > 0) && new Set(held.flatMap((h) => [...h])).size === partitions &&
      held.reduce((sum, h) => sum + h.size, 0) === partitions
  })

/** Fails with the error's tag where an effect that must fail does not, or fails with another. */
const failsWith = <A, R>(
  effect: Effect.Effect<A, KafkaError, R>,
  ...tags: ReadonlyArray<KafkaError["_tag"]>
): Effect.Effect<KafkaError, ConformanceError, R | ConformanceEnv> =>
  Effect.flatMap(
    Effect.result(drive(effect)),
    (result) =>
      Result.isFailure(result) && tags.includes(result.failure._tag)
        ? Effect.succeed(result.failure)
        : Effect.fail(
          new ConformanceError({
            message: `expected ${tags.join(" or ")}, got ${
              Result.isFailure(result) ? `${result.failure._tag}: ${result.failure.message}` : "success"
            }`
          })
        )
  )

const endsWith = Effect.fnUntraced(function*(probe: Probe.Probe, tag: KafkaError["_tag"]) {
  yield* eventually(`run ends with ${tag}`, () => probe.ended() !== undefined)
  const exit = probe.ended()!
  const error = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
  yield* same(error?._tag, tag, "how run ended")
})

const behaviour = (
  name: string,
  body: () => Effect.Effect<void, unknown, Transport | ConformanceEnv | Scope.Scope>
): Behaviour => ({ name, run: Effect.scoped(Effect.suspend(body)) })

// --- Where a partition starts --------------------------------------------------------------------------------------------

const starting: ReadonlyArray<Behaviour> = [
  behaviour(
    "start: nothing is fetched of a partition before it is named, and then from there",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        yield* b.write(numbered(20, { partitions: 2 }))
        const probe = yield* b.member({ startAt: "nowhere" })
        yield* joined(probe)
        yield* pass("1 second")
        yield* same(probe.records.length, 0, "records before the start")
        probe.consumer.start([{ topic: b.topic, partition: 0, offset: 3n }])
        yield* eventually("the records from offset 3 on", () => offsetsOf(probe, 0).length >= 7)
        yield* pass("500 millis")
        yield* same(offsetsOf(probe, 0), upTo(7, 3), "offsets of partition 0")
        yield* same(offsetsOf(probe, 1), [], "offsets of partition 1")
        yield* keptTheRules(probe)
      })
  ),

  behaviour("start: the first record of an empty partition arrives", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const probe = yield* b.member()
      yield* joined(probe)
      yield* pass("1 second")
      yield* b.write(numbered(1))
      yield* eventually("the record", () => probe.records.length === 1)
      yield* keptTheRules(probe)
    })),

  behaviour("start: a seek goes there, and nothing fetched before it arrives after it", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      yield* b.write(numbered(200))
      let after: number | undefined
      const probe = yield* b.member({
        with: { maxPartitionFetchBytes: 512 },
        onBatch: (batch, consumer) => {
          if (after !== undefined || batch.count === 0) return
          consumer.start([{ topic: b.topic, partition: 0, offset: 150n }])
          after = probe.records.length
        }
      })
      yield* eventually("the end", () => probe.position(b.topic, 0) === 200n)
      yield* same(offsetsOf(probe, 0).slice(after), upTo(50, 150), "offsets after the seek")
      const before = probe.records.length
      probe.consumer.start([{ topic: b.topic, partition: 0, offset: 10n }])
      yield* eventually("the records again", () => probe.records.length - before >= 190)
      yield* pass("500 millis")
      yield* same(offsetsOf(probe, 0).slice(before), upTo(190, 10), "offsets after the seek back")
      yield* keptTheRules(probe)
    })),

  behaviour(
    "start: a position beyond the end is told, and fetched no more until it is named again",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(1)
        yield* b.write(numbered(5))
        const probe = yield* b.member({ startAt: "nowhere" })
        yield* joined(probe)
        probe.consumer.start([{ topic: b.topic, partition: 0, offset: 1000n }])
        yield* eventually("the position is told", () => probe.outOfRange.length > 0)
        yield* pass("1 second")
        yield* same(probe.outOfRange.map((o) => [o.partition.key, o.position]), [[b.partition(0).key, 1000n]], "told")
        yield* same(probe.records.length, 0, "records")
        yield* same(probe.ended(), undefined, "the end of run")
        probe.consumer.start([{ topic: b.topic, partition: 0, offset: 0n }])
        yield* eventually("all records", () => probe.records.length === 5)
        yield* keptTheRules(probe)
      })
  ),

  behaviour(
    "start: a position before the beginning is told, and moves no committed offset",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(1)
        yield* b.write(numbered(10))
        yield* drive(b.admin.setOffsets(b.group, [{ topic: b.topic, partition: 0, offset: 2n }]))
        yield* drive(b.admin.deleteRecords([{ topic: b.topic, partition: 0, offset: 6n }]))
        const probe = yield* b.member()
        yield* eventually("the position is told", () => probe.outOfRange.length > 0)
        yield* same(probe.outOfRange[0]!.position, 2n, "position")
        yield* pass("1 second")
        const [committed] = yield* drive(probe.consumer.committed([b.partition(0)]))
        yield* same(committed!.offset, 2n, "the committed offset")
        const [beginning] = yield* drive(probe.consumer.listOffsets([b.partition(0)], "earliest"))
        yield* same(beginning!.offset, 6n, "the beginning")
        probe.consumer.start([beginning!])
        yield* eventually("what is left", () => probe.records.length === 4)
        yield* same(offsetsOf(probe, 0), upTo(4, 6), "offsets")
        yield* keptTheRules(probe)
      })
  )
]

// --- What arrives --------------------------------------------------------------------------------------------------------

const header = (name: string, value: string | Uint8Array | null) => ({
  name,
  value: typeof value === "string" ? new TextEncoder().encode(value) : value
})

const delivering: ReadonlyArray<Behaviour> = [
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

// --- Pause ---------------------------------------------------------------------------------------------------------------

const pausing: ReadonlyArray<Behaviour> = [
  behaviour(
    "pause: at most one batch of a partition comes after it, and nothing is missing after the resume",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        yield* b.write(numbered(600, { partitions: 2 }))
        let pausedAt: number | undefined
        const batchesOf = (partition: number) =>
          probe.batches.filter((x) => x.partition === partition && x.count > 0).length
        const probe: Probe.Probe = yield* b.member({
          with: { maxPartitionFetchBytes: 1_024 },
          onBatch: (batch, consumer) => {
            if (batch.partition !== 0 || pausedAt !== undefined) return
            consumer.pause([b.partition(0)])
            pausedAt = batchesOf(0)
          }
        })
        // The other partition is not held up by the pause.
        yield* eventually("all of the other partition", () => offsetsOf(probe, 1).length === 300)
        yield* pass("1 second")
        yield* check(batchesOf(0) <= pausedAt! + 1, `${batchesOf(0) - pausedAt!} batches after the pause`)
        probe.consumer.resume([b.partition(0)])
        yield* eventually("all of the paused partition", () => offsetsOf(probe, 0).length >= 300)
        yield* same(offsetsOf(probe, 0), upTo(300), "offsets of partition 0")
        yield* same(offsetsOf(probe, 1), upTo(300), "offsets of partition 1")
        yield* keptTheRules(probe)
      })
  ),

  behaviour("pause: a consumer that pauses at each batch gets every record once", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      yield* b.write(numbered(1_000))
      const probe = yield* b.member({
        with: { maxPartitionFetchBytes: 4_096 },
        onBatch: (_, consumer) => consumer.pause([b.partition(0)])
      })
      yield* joined(probe)
      yield* eventually("all records", () => {
        probe.consumer.resume([b.partition(0)])
        return probe.records.length >= 1_000
      })
      yield* same(offsetsOf(probe, 0), upTo(1_000), "offsets")
      yield* keptTheRules(probe)
    })),

  behaviour(
    "pause: with all partitions paused, the membership lives on beyond the session timeout",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(1)
        const probe = yield* b.member()
        yield* joined(probe)
        probe.consumer.pause([b.partition(0)])
        yield* b.write(numbered(5))
        yield* pass("7500 millis")
        yield* check(probe.records.length === 0 || probe.batches.length === 1, "at most one batch after the pause")
        yield* same([probe.assignments.length, probe.lost.length, probe.ended()], [1, 0, undefined], "the membership")
        probe.consumer.resume([b.partition(0)])
        yield* eventually("the records", () => probe.records.length === 5)
        yield* keptTheRules(probe)
      })
  )
]

// --- Commits -------------------------------------------------------------------------------------------------------------

const committing: ReadonlyArray<Behaviour> = [
  behaviour(
    "commit: offsets are stored with their metadata, and the next member reads them",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        yield* b.write(numbered(40, { partitions: 2 }))
        yield* Effect.scoped(Effect.gen(function*() {
          const first = yield* b.member()
          yield* eventually("all records", () => first.records.length === 40)
          yield* drive(first.consumer.commit([
            { topic: b.topic, partition: 0, offset: 12n, metadata: "finished: 14-17" },
            { topic: b.topic, partition: 1, offset: 20n, metadata: "" }
          ]))
        }))
        const second = yield* b.member()
        yield* eventually("what was not committed", () => second.records.length >= 8)
        yield* pass("500 millis")
        yield* same(offsetsOf(second, 0), upTo(8, 12), "offsets of partition 0")
        yield* same(offsetsOf(second, 1), [], "offsets of partition 1")
        const committed = yield* drive(second.consumer.committed([b.partition(0), b.partition(1)]))
        yield* same(
          committed.map((c) => [c.partition, c.offset, c.metadata]),
          [[0, 12n, "finished: 14-17"], [1, 20n, ""]],
          "committed offsets"
        )
        yield* keptTheRules(second)
      })
  ),

  behaviour("commit: a partition without an offset has none", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const probe = yield* b.member()
      yield* joined(probe)
      const [committed] = yield* drive(probe.consumer.committed([b.partition(0)]))
      yield* same(committed, { topic: b.topic, partition: 0, metadata: "" }, "the committed offset")
    })),

  behaviour("commit: metadata of 4096 bytes is kept, and more is refused", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const probe = yield* b.member()
      yield* joined(probe)
      const commit = (metadata: string) =>
        probe.consumer.commit([{ topic: b.topic, partition: 0, offset: 0n, metadata }])
      yield* drive(commit("m".repeat(4096)))
      yield* failsWith(commit("m".repeat(4097)), "CommitError")
      const [committed] = yield* drive(probe.consumer.committed([b.partition(0)]))
      yield* same(committed!.metadata.length, 4096, "length of the metadata")
    })),

  behaviour("commit: nothing is committed that was not asked for", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      yield* b.write(numbered(100))
      yield* Effect.scoped(Effect.gen(function*() {
        const probe = yield* b.member({ with: { enableAutoCommit: true, autoCommitIntervalMs: 100 } })
        yield* eventually("all records", () => probe.records.length === 100)
        yield* pass("1 second")
      }))
      yield* same(yield* drive(b.admin.committedOffsets(b.group, [b.topic])), [], "committed offsets")
    })),

  behaviour("commit: after the consumer is closed it is no success", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const closed = yield* Effect.scoped(Effect.gen(function*() {
        const probe = yield* b.member()
        yield* joined(probe)
        return probe
      }))
      yield* failsWith(
        closed.consumer.commit([{ topic: b.topic, partition: 0, offset: 1n, metadata: "" }]),
        "CommitError"
      )
      yield* same(yield* drive(b.admin.committedOffsets(b.group, [b.topic])), [], "committed offsets")
    })),

  behaviour(
    "commit: a late one, for a partition that has moved on, is taken: the fence lies above the transport",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        const first = yield* b.member()
        yield* joined(first)
        const second = yield* b.member()
        yield* shared(2, first, second)
        const moved = [...second.held()][0]!
        const offset = { topic: b.topic, partition: moved === b.partition(0).key ? 0 : 1, offset: 7n, metadata: "late" }
        // A broker does not ask who owns a partition.
        yield* drive(
          Effect.retry(first.consumer.commit([offset]), { times: 3, while: (e) => e._tag === "CommitError" })
        )
        const committed = yield* drive(b.admin.committedOffsets(b.group, [b.topic]))
        yield* same(committed.map((c) => [c.partition, c.offset]), [[offset.partition, 7n]], "committed offsets")
      })
  )
]

// --- Rebalance -----------------------------------------------------------------------------------------------------------

const rebalancing: ReadonlyArray<Behaviour> = [
  behaviour("rebalance: a partition that stays goes on without a gap or a repeat", () =>
    Effect.gen(function*() {
      const b = yield* bench(4)
      const first = yield* b.member()
      yield* joined(first)
      let written = 0
      const writeSome = Effect.suspend(() => {
        const from = written
        written += 40
        return b.write(numbered(40, { partitions: 4, from }))
      })
      yield* writeSome
      yield* eventually("the first records", () => first.records.length === 40)
      const second = yield* b.member()
      for (let i = 0; i < 10; i++) {
        yield* writeSome
        yield* pass("300 millis")
      }
      yield* shared(4, first, second)
      yield* writeSome
      const each = written / 4
      const kept = [0, 1, 2, 3].filter((n) => first.held().has(b.partition(n).key))
      yield* eventually(
        "all of the partitions that stayed",
        () => kept.every((n) => offsetsOf(first, n).length >= each)
      )
      yield* pass("500 millis")
      for (const n of kept) yield* same(offsetsOf(first, n), upTo(each), `offsets of partition ${n}, which stayed`)
      // The others were not committed, so their new owner reads them from the beginning: nothing is lost.
      for (const n of [0, 1, 2, 3].filter((n) => !kept.includes(n))) {
        yield* eventually(`all of partition ${n}, which moved`, () => offsetsOf(second, n).length >= each)
        yield* same(offsetsOf(second, n), upTo(each), `offsets of partition ${n}, which moved`)
      }
      yield* keptTheRules(first, second)
    })),

  behaviour(
    "rebalance: partitions that are not answered as retained wait for their start",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        const first = yield* b.member({ startAt: "beginning", retain: false })
        yield* joined(first)
        const second = yield* b.member({ startAt: "nowhere" })
        yield* shared(2, first, second)
        yield* b.write(numbered(20, { partitions: 2 }))
        yield* pass("1 second")
        yield* same(second.records.length, 0, "records of the member that never started")
        yield* eventually("records of the member that did", () => first.records.length === 10)
        yield* keptTheRules(first, second)
      })
  ),

  behaviour(
    "rebalance: the partitions move when beforeRevoke has ended, and commits made in it are stored",
    () =>
      Effect.gen(function*() {
        const env = yield* ConformanceEnv
        const b = yield* bench(2)
        yield* b.write(numbered(20, { partitions: 2 }))
        let done = false
        let othersAtTheEnd = -1
        const others: Array<Probe.Probe> = []
        const failures: Array<KafkaError> = []
        const first = yield* b.member({
          beforeRevoke: (partitions, consumer) =>
            Effect.gen(function*() {
              for (let i = 0; i < 6; i++) {
                yield* Effect.sleep("300 millis")
                yield* consumer.heartbeat
              }
              yield* consumer.commit(partitions.map(({ partition, topic }) => ({
                topic,
                partition,
                offset: 10n,
                metadata: "drained"
              })))
            }).pipe(
              Effect.catch((error) => Effect.sync(() => failures.push(error))),
              Effect.andThen(Effect.sync(() => {
                othersAtTheEnd = others[0]?.assignments.length ?? 0
                done = true
              }))
            )
        })
        yield* eventually("all records", () => first.records.length === 20)
        const second = yield* b.member()
        others.push(second)
        yield* eventually("beforeRevoke has ended", () => done)
        yield* same(failures.map((e) => e.message), [], "failures while draining")
        yield* same(othersAtTheEnd, 0, "assignments of the other member while the first one drained")
        yield* shared(2, first, second)
        yield* env.pass("1 second")
        yield* same(second.records.length, 0, "records that were committed and came again")
        yield* same(
          (yield* drive(b.admin.committedOffsets(b.group, [b.topic]))).map((c) => [c.offset, c.metadata]),
          [[10n, "drained"], [10n, "drained"]],
          "committed offsets"
        )
        yield* keptTheRules(first, second)
      })
  ),

  behaviour("rebalance: nothing is handed over while beforeRevoke runs", () =>
    Effect.gen(function*() {
      const b = yield* bench(2)
      const during: Array<number> = []
      const first: Probe.Probe = yield* b.member({
        beforeRevoke: (_, consumer) =>
          Effect.gen(function*() {
            during.push(first.batches.length)
            for (let i = 0; i < 3; i++) {
              yield* Effect.sleep("300 millis")
              yield* Effect.ignore(consumer.heartbeat)
            }
            during.push(first.batches.length)
          })
      })
      yield* joined(first)
      const second = yield* b.member()
      for (let i = 0; i < 60 && during.length < 2; i++) {
        yield* b.write(numbered(2, { partitions: 2 }))
        yield* pass("100 millis")
      }
      yield* same(during.length, 2, "calls of beforeRevoke that ended")
      yield* same(during[1], during[0], "batches before and after")
      yield* shared(2, first, second)
      yield* keptTheRules(first, second)
    })),

  behaviour(
    "rebalance: a member that drains for too long is out; its commit is refused, and it joins again",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        const results: Array<string> = []
        let calls = 0
        const first = yield* b.member({
          with: { maxPollIntervalMs: 2_000 },
          beforeRevoke: (partitions, consumer) =>
            calls++ > 0 ? Effect.void : Effect.gen(function*() {
              yield* Effect.sleep("4 seconds")
              const offsets = partitions.map(({ partition, topic }) => ({ topic, partition, offset: 1n, metadata: "" }))
              const result = yield* Effect.result(consumer.commit(offsets))
              results.push(Result.isFailure(result) ? result.failure._tag : "success")
            })
        })
        yield* joined(first)
        const second = yield* b.member({ with: { maxPollIntervalMs: 2_000 } })
        yield* eventually("the other member has all", () => second.held().size === 2)
        yield* eventually("the first has drained", () => results.length > 0)
        yield* same(results, ["CommitError"], "the commit of the member that is out")
        yield* shared(2, first, second)
      })
  ),

  behaviour(
    "rebalance: a member that is closed leaves, and the others take over within its session",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        const first = yield* b.member({ with: { sessionTimeoutMs: 30_000 } })
        yield* joined(first)
        yield* Effect.scoped(Effect.gen(function*() {
          const second = yield* b.member({ with: { sessionTimeoutMs: 30_000 } })
          yield* shared(2, first, second)
        }))
        const start = yield* Clock.currentTimeMillis
        yield* eventually("the first has all again", () => first.held().size === 2)
        const took = (yield* Clock.currentTimeMillis) - start
        yield* check(took < 10_000, `it took ${took} ms`)
        yield* keptTheRules(first)
      })
  ),

  behaviour(
    "rebalance: more members than partitions: some have none, and take over when one leaves",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(1)
        const first = yield* b.member()
        yield* joined(first)
        yield* Effect.scoped(Effect.gen(function*() {
          const second = yield* b.member()
          yield* eventually("both are in", () => second.assignments.length > 0 && first.assignments.length > 1)
          yield* same(first.held().size + second.held().size, 1, "partitions held")
        }))
        yield* b.write(numbered(3))
        yield* eventually("the records", () => first.held().size === 1 && first.records.length >= 3)
        yield* keptTheRules(first)
      })
  )
]

// --- Partitions by hand --------------------------------------------------------------------------------------------------

const manual: ReadonlyArray<Behaviour> = [
  behaviour("manual: exactly these partitions, with commits and without a rebalance", () =>
    Effect.gen(function*() {
      const b = yield* bench(3)
      yield* b.write(numbered(30, { partitions: 3 }))
      const subscription = { _tag: "Manual" as const, partitions: [b.partition(0), b.partition(2)] }
      const probe = yield* b.member({ subscription })
      yield* eventually("the records", () => probe.records.length >= 20)
      yield* same(probe.assignments.length, 1, "assignments")
      yield* same(probe.assignments[0]!.partitions.map(String).sort(), [b.partition(0).key, b.partition(2).key], "held")
      yield* same(offsetsOf(probe, 1), [], "offsets of partition 1")
      yield* drive(probe.consumer.commit([{ topic: b.topic, partition: 2, offset: 4n, metadata: "by hand" }]))
      const [committed] = yield* drive(probe.consumer.committed([b.partition(2)]))
      yield* same([committed!.offset, committed!.metadata], [4n, "by hand"], "the committed offset")
      yield* keptTheRules(probe)
    })),

  behaviour("manual: a partition that does not exist ends run", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const probe = yield* b.member({ subscription: { _tag: "Manual", partitions: [b.partition(7)] } })
      yield* endsWith(probe, "UnknownTopicError")
    }))
]

// --- Failures ------------------------------------------------------------------------------------------------------------

const failing: ReadonlyArray<Behaviour> = [
  behaviour("failure: a topic that does not exist ends run with its name", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const topic = yield* Fixtures.uniqueName("missing")
      const probe = yield* b.member({ subscription: { _tag: "Topics", topics: [topic] } })
      yield* endsWith(probe, "UnknownTopicError")
    })),

  behaviour("failure: a session timeout that the broker refuses ends run", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const probe = yield* b.member({ with: { sessionTimeoutMs: 100, heartbeatIntervalMs: 30 } })
      yield* endsWith(probe, "GroupError")
    })),

  behaviour(
    "failure: a member whose strategy the group does not share ends with a group error",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(1)
        const first = yield* b.member({ with: { partitionAssignmentStrategy: "range" } })
        yield* joined(first)
        const second = yield* b.member({ with: { partitionAssignmentStrategy: "roundrobin" } })
        yield* endsWith(second, "GroupError")
        yield* same(first.ended(), undefined, "the end of the first member")
      })
  )
]

// --- Offsets, producer, admin --------------------------------------------------------------------------------------------

const around: ReadonlyArray<Behaviour> = [
  behaviour("offsets: beginning, end, and by time", () =>
    Effect.gen(function*() {
      const b = yield* bench(2)
      const at = (n: number) => 1_700_000_000_000 + n * 1_000
      yield* b.write(upTo(5).map((n) => Fixtures.outgoing({ key: "k", value: String(n), timestamp: at(n) })))
      const probe = yield* b.member()
      yield* joined(probe)
      const both = [b.partition(0), b.partition(1)]
      for (const listOffsets of [probe.consumer.listOffsets, b.admin.listOffsets]) {
        const offsets = (spec: Parameters<typeof listOffsets>[1]) =>
          Effect.map(drive(listOffsets(both, spec)), (found) => found.map((o) => o.offset))
        yield* same(yield* offsets("earliest"), [0n, 0n], "beginnings")
        yield* same(yield* offsets("latest"), [5n, 0n], "ends")
        yield* same(yield* offsets({ timestamp: at(3) }), [3n, 0n], "by a time that a record has")
        yield* same(yield* offsets({ timestamp: at(3) + 1 }), [4n, 0n], "by a time between two records")
        yield* same(yield* offsets({ timestamp: at(99) }), [5n, 0n], "by a time after all records")
      }
    })),

  behaviour("producer: answers the first offset of each part, in the order given", () =>
    Effect.gen(function*() {
      const b = yield* bench(2)
      const records = (count: number) => upTo(count).map((n) => Fixtures.outgoing({ key: null, value: String(n) }))
      const parts = [
        { topic: b.topic, partition: 1, records: records(3) },
        { topic: b.topic, partition: 0, records: records(2) }
      ]
      yield* same(
        (yield* drive(b.producer.send(parts))).map((o) => [o.partition, o.offset]),
        [[1, 0n], [0, 0n]],
        "first"
      )
      yield* same(
        (yield* drive(b.producer.send(parts))).map((o) => [o.partition, o.offset]),
        [[1, 3n], [0, 2n]],
        "second"
      )
      yield* same(yield* drive(b.producer.partitionCount(b.topic)), 2, "partitions")
    })),

  behaviour("producer: what cannot be written fails with its reason", () =>
    Effect.gen(function*() {
      const b = yield* bench(1, { "max.message.bytes": "2000" })
      const missing = yield* Fixtures.uniqueName("missing")
      const record = Fixtures.outgoing({ key: "k", value: "v" })
      yield* failsWith(b.producer.partitionCount(missing), "UnknownTopicError")
      yield* failsWith(b.producer.send([{ topic: missing, partition: 0, records: [record] }]), "UnknownTopicError")
      const large = Fixtures.outgoing({ key: "k", value: "x".repeat(4_000) })
      const error = yield* failsWith(
        b.producer.send([{ topic: b.topic, partition: 0, records: [large] }]),
        "ProduceError"
      )
      yield* same(error._tag === "ProduceError" ? error.code : "", "MESSAGE_TOO_LARGE", "code")
      yield* b.write([record])
      const [end] = yield* drive(b.admin.listOffsets([b.partition(0)], "latest"))
      yield* same(end!.offset, 1n, "end of the log")
    })),

  behaviour("admin: topics are made, described, changed and deleted", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const name = yield* Fixtures.uniqueName("conformance-admin")
      const wanted = { name, partitions: 2, configs: { "retention.ms": "123456" } }
      yield* same(yield* drive(b.admin.createTopics([wanted])), true, "created")
      yield* same(yield* drive(b.admin.createTopics([wanted])), false, "created again")
      const isListed = Effect.map(b.admin.listTopics, (topics) => topics.includes(name))
      const partitions = Effect.map(b.admin.describeTopics([name]), ([topic]) => topic!.partitions.length)
      const retention = Effect.map(b.admin.describeConfigs({ _tag: "Topic", name }), (configs) => {
        const found = configs.find((c) => c.name === "retention.ms")
        return [found?.value, found?.isDefault]
      })
      yield* becomes("whether the topic is listed", isListed, true)
      yield* becomes("partitions", partitions, 2)
      yield* becomes("retention.ms", retention, ["123456", false])
      yield* drive(b.admin.createPartitions(name, 5))
      yield* becomes("partitions after the change", partitions, 5)
      yield* drive(b.admin.alterConfigs({ _tag: "Topic", name }, { "retention.ms": "654321" }))
      yield* becomes("retention.ms after the change", retention, ["654321", false])
      yield* drive(b.admin.deleteTopics([name]))
      yield* becomes("whether the deleted topic is listed", isListed, false)
      yield* failsWith(b.admin.describeTopics([name]), "UnknownTopicError")
    })),

  behaviour(
    "admin: groups are listed, described and deleted, and their offsets are set while they are empty",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        yield* b.write(numbered(20, { partitions: 2 }))
        const set = b.admin.setOffsets(b.group, [{ topic: b.topic, partition: 0, offset: 4n }])
        yield* drive(set)
        yield* Effect.scoped(Effect.gen(function*() {
          const probe = yield* b.member({ with: { clientId: "described" } })
          yield* eventually("the records from there on", () => probe.records.length === 16)
          yield* same(offsetsOf(probe, 0), upTo(6, 4), "offsets of partition 0")
          const [group] = yield* drive(b.admin.describeGroups([b.group]))
          yield* same([group!.state, group!.members.length], ["Stable", 1], "the group")
          yield* same(group!.members[0]!.clientId, "described", "client id")
          yield* same(
            group!.members[0]!.assignment.map(String).sort(),
            [0, 1].map((n) => b.partition(n).key),
            "assignment"
          )
          yield* check((yield* drive(b.admin.listGroups)).some((g) => g.groupId === b.group), "the group is listed")
          yield* failsWith(set, "GroupError")
          yield* failsWith(b.admin.deleteGroups([b.group]), "GroupError")
        }))
        yield* becomes(
          "members of the group that all have left",
          Effect.map(b.admin.describeGroups([b.group]), ([group]) => group!.members.length),
          0
        )
        yield* drive(b.admin.deleteGroups([b.group]))
        yield* becomes("offsets of the deleted group", b.admin.committedOffsets(b.group), [])
      })
  ),

  behaviour("admin: the cluster describes its brokers", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const { brokers } = yield* drive(b.admin.describeCluster)
      yield* check(brokers.length > 0 && brokers.every((x) => x.port > 0), "brokers with ports")
    }))
]

/**
 * Everything that a transport must do.
 *
 * @category suites
 * @since 0.1.0
 */
export const behaviours: ReadonlyArray<Behaviour> = [
  ...starting,
  ...delivering,
  ...pausing,
  ...committing,
  ...rebalancing,
  ...manual,
  ...failing,
  ...around
]
