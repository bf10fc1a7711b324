/** What the tests against a real Kafka share. */
import * as Settings from "@weft/kafka/ConsumerSettings"
import type { InvalidSettingError, KafkaError } from "@weft/kafka/KafkaError"
import type { OutgoingRecord, ProducerSettings, Transport } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Fixtures from "@weft/testing/Fixtures"
import * as Probe from "@weft/testing/Probe"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { Kafka, logLevel } from "kafkajs"
import { brokers, freshGroup, freshTopic } from "../../../test-support/servers.ts"

export const producerSettings: ProducerSettings = {
  clientId: "kafkajs-test",
  acks: -1,
  enableIdempotence: true,
  compressionType: "none",
  requestTimeoutMs: 30_000,
  retryBackoffMs: 50,
  // A broker that is started again on a busy machine takes its time.
  deliveryTimeoutMs: 120_000
}

/**
 * Heartbeats that are often, so that a rebalance takes a second and not a minute; a session that a busy machine does not
 * end by itself.
 */
export const settings = (groupId: string, over: Partial<Settings.ConsumerSettings> = {}): Settings.ConsumerSettings =>
  Settings.make({
    groupId,
    sessionTimeoutMs: 30_000,
    heartbeatIntervalMs: 300,
    maxPollIntervalMs: 20_000,
    fetchMaxWaitMs: 200,
    ...over
  })

export const member = (
  topic: string,
  group: string,
  options: Partial<Probe.ProbeOptions> & { readonly with?: Partial<Settings.ConsumerSettings> } = {}
): Effect.Effect<Probe.Probe, KafkaError, Transport | Scope.Scope> => {
  const { with: over, ...rest } = options
  return Probe.open({
    subscription: { _tag: "Topics", topics: [topic] },
    settings: settings(group, over),
    ...rest
  })
}

export const record = (value: string | Uint8Array | null, over: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  key: null,
  value: typeof value === "string" ? Buffer.from(value) : value,
  headers: [],
  ...over
})

export const records = (count: number, from = 0): ReadonlyArray<OutgoingRecord> =>
  Array.from({ length: count }, (_, i) => record(String(from + i)))

export const valuesOf = (probe: Probe.Probe, partition?: number): ReadonlyArray<string | null> =>
  probe.records.filter((one) => partition === undefined || one.partition === partition)
    .map((one) => Fixtures.text(one.value))

export const topicOf = (prefix: string, partitions = 1, configs: Readonly<Record<string, string>> = {}) =>
  Effect.promise(() => freshTopic(prefix, partitions, configs))

/** kafkajs by itself, which waits as long as a busy broker needs, such as for its first transactions. */
export const rawKafka = () =>
  new Kafka({
    brokers: [...brokers()],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 30_000,
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 200 }
  })

export const groupOf = (prefix: string) => Effect.sync(() => freshGroup(prefix))

/** Waits until it holds; the test's own timeout ends it. */
export const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (!holds()) yield* Effect.sleep(20)
  })

/** How `run` failed. */
export const failureOf = (probe: Probe.Probe): KafkaError | undefined => {
  const exit = probe.ended()
  return exit !== undefined && Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
}

export const onKafka = <A, E>(
  effect: Effect.Effect<A, E, Transport | Scope.Scope>
): Effect.Effect<A, E | InvalidSettingError> =>
  Effect.scoped(effect).pipe(Effect.provide(KafkaJs.layer({ brokers: brokers() })))
