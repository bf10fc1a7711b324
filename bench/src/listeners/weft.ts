/** Pipelines, with everything that they do by default save that no database is there. */
import * as ConfigStore from "@weft/config/ConfigStore"
import type * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as Codec from "@weft/kafka/Codec"
import type { InvalidSettingError } from "@weft/kafka/KafkaError"
import type { Transport } from "@weft/kafka/Transport"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { weftSettings } from "../contenders/weftSettings.ts"
import { groupSettings, type Listener, type Listening } from "./Listener.ts"

type TransportOf = (brokers: ReadonlyArray<string>) => Layer.Layer<Transport, InvalidSettingError>

const settings = {
  ...weftSettings,
  heartbeatIntervalMs: groupSettings.heartbeatMs,
  sessionTimeoutMs: groupSettings.sessionMs,
  enableAutoCommit: true,
  autoCommitIntervalMs: groupSettings.commitIntervalMs
}

type OwnSettings = Pick<WorkloadProfile.Values, "groupProtocol">

const running = (
  transport: TransportOf,
  own: OwnSettings,
  { brokers, group, onAssigned, until }: Listening,
  pipeline: Pipeline.Pipeline
): Promise<void> =>
  Effect.gen(function*() {
    const { consumer, failure } = yield* Pipeline.startWithin(pipeline)
    if (onAssigned !== undefined) {
      yield* Effect.forkScoped(Stream.runForEach(
        consumer.events,
        (event) => Effect.sync(() => event._tag === "Assigned" ? onAssigned() : undefined)
      ))
    }
    yield* Effect.raceFirst(failure, Effect.promise(() => until))
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.mergeAll(
      transport(brokers),
      ConfigStore.layerStatic({ consumerGroupId: group, ...settings, ...own }),
      MetricsSink.layerNone
    )),
    Effect.runPromise
  )

const optionsOf = ({ topic }: Listening) => ({ service: "bench", topics: [topic], value: Codec.bytes })

export const process = (transport: TransportOf, own: OwnSettings = {}): Listener => (listening) =>
  running(
    transport,
    own,
    listening,
    Pipeline.make({
      ...optionsOf(listening),
      process: (record) => Effect.sync(() => listening.onRecord(record.value!, record.partition))
    })
  )

export const processBatch = (transport: TransportOf): Listener => (listening) =>
  running(
    transport,
    {},
    listening,
    Pipeline.make({
      ...optionsOf(listening),
      // What there is, at once: else a batch that is not full waits for 100 ms.
      batch: { window: 0 },
      processBatch: (records) =>
        Effect.sync(() => {
          for (const { partition, value } of records) listening.onRecord(value!, partition)
        })
    })
  )
