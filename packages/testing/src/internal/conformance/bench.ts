/**
 * What the behaviours of the conformance suite are written with: a topic and a group of one's own, members, and statements
 * that fail with what was expected.
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
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { type Behaviour, ConformanceEnv, ConformanceError } from "../../ConformanceEnv.ts"
import * as Fixtures from "../../Fixtures.ts"
import * as Probe from "../../Probe.ts"

export const check = (condition: boolean, message: string): Effect.Effect<void, ConformanceError> =>
  condition ? Effect.void : Effect.fail(new ConformanceError({ message }))

export const show = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => typeof v === "bigint" ? `${v}n` : v)

export const same = (actual: unknown, expected: unknown, what: string): Effect.Effect<void, ConformanceError> =>
  check(show(actual) === show(expected), `${what}: expected ${show(expected)}, got ${show(actual)}`)

export const pass = (duration: Duration.Input) => Effect.flatMap(ConformanceEnv, (env) => env.pass(duration))

export const drive = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | ConformanceEnv> =>
  Effect.flatMap(ConformanceEnv, (env) => env.drive(effect))

/** Waits until something holds, and fails where it never does. */
export const eventually = Effect.fnUntraced(function*(what: string, holds: () => boolean) {
  const env = yield* ConformanceEnv
  const giveUpAt = (yield* Clock.currentTimeMillis) + env.patienceMs
  while (!holds()) {
    if ((yield* Clock.currentTimeMillis) >= giveUpAt) {
      return yield* new ConformanceError({ message: `never: ${what}` })
    }
    yield* env.pass("20 millis")
  }
})

/**
 * Waits until the cluster answers what it should: brokers hear of a change one after the other, and one that has not heard
 * of it may refuse to answer.
 */
export const becomes = Effect.fnUntraced(function*<A, E, R>(what: string, effect: Effect.Effect<A, E, R>, expected: A) {
  const env = yield* ConformanceEnv
  const giveUpAt = (yield* Clock.currentTimeMillis) + env.patienceMs
  while (true) {
    const isLast = (yield* Clock.currentTimeMillis) >= giveUpAt
    const result = yield* Effect.result(drive(effect))
    if (Result.isSuccess(result) && show(result.success) === show(expected)) return
    if (isLast) return yield* same(yield* Effect.fromResult(result), expected, what)
    yield* env.pass("50 millis")
  }
})

export const producerSettings: ProducerSettings = {
  clientId: "conformance",
  acks: -1,
  enableIdempotence: true,
  compressionType: "none",
  requestTimeoutMs: 30_000,
  retryBackoffMs: 100,
  deliveryTimeoutMs: 60_000
}

/**
 * Short intervals, so that a rebalance on a live broker takes a second and not a minute. The timeouts are none: a machine
 * that stands still for some seconds must not cost a member its place.
 */
export const settings = (groupId: string, over?: Partial<Settings.ConsumerSettings>): Settings.ConsumerSettings =>
  Settings.make({
    groupId,
    clientId: "conformance",
    sessionTimeoutMs: 30_000,
    heartbeatIntervalMs: 500,
    maxPollIntervalMs: 30_000,
    fetchMaxWaitMs: 200,
    ...over
  })

export interface Bench {
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
export const bench = Effect.fnUntraced(function*(partitions: number, configs?: Readonly<Record<string, string>>) {
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

export const numbered = (count: number, options?: Parameters<typeof Fixtures.numbered>[1]) =>
  Fixtures.numbered(count, options).map(({ partition, ...record }) => ({ partition, ...Fixtures.outgoing(record) }))

export const offsetsOf = (probe: Probe.Probe, partition: number): ReadonlyArray<number> =>
  probe.records.filter((r) => r.partition === partition).map((r) => Number(r.offset))

export const upTo = (count: number, from = 0): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, i) => from + i)

export const keptTheRules = (...probes: ReadonlyArray<Probe.Probe>): Effect.Effect<void, ConformanceError> =>
  same(probes.flatMap((p) => p.violations), [], "rules broken")

/** A member alone has all partitions. A coordinator may let it in before it has anything for it. */
export const joined = (probe: Probe.Probe, partitions = 1) =>
  eventually("the member has joined", () => probe.held().size >= partitions)

/** Members that share the partitions, each of them once, and none without any. */
export const shared = (partitions: number, ...probes: ReadonlyArray<Probe.Probe>) =>
  eventually(`${probes.length} members share ${partitions} partitions`, () => {
    const held = probes.map((p) => p.held())
    return held.every((h) => h.size > 0) && new Set(held.flatMap((h) => [...h])).size === partitions &&
      held.reduce((sum, h) => sum + h.size, 0) === partitions
  })

/** Fails with the error's tag where an effect that must fail does not, or fails with another. */
export const failsWith = <A, R>(
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

export const endsWith = Effect.fnUntraced(function*(probe: Probe.Probe, tag: KafkaError["_tag"]) {
  yield* eventually(`run ends with ${tag}`, () => probe.ended() !== undefined)
  const exit = probe.ended()!
  const error = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
  yield* same(error?._tag, tag, "how run ended")
})

export const behaviour = (
  name: string,
  body: () => Effect.Effect<void, unknown, Transport | ConformanceEnv | Scope.Scope>,
  { onlyClassic = false }: { readonly onlyClassic?: boolean } = {}
): Behaviour => ({ name, onlyClassic, run: Effect.scoped(Effect.suspend(body)) })
