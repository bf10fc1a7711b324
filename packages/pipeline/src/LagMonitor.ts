/**
 * Samples the lag of a member's partitions: in records, in seconds, and what it means.
 *
 * @since 0.1.0
 */
import type { Consumer } from "@weft/kafka/Consumer"
import type { PartitionSnapshot } from "@weft/kafka/PartitionSnapshot"
import { keyOf, make as topicPartition } from "@weft/kafka/TopicPartition"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LagStatus from "./LagStatus.ts"
import type { LagSample } from "./MetricsSink.ts"

/**
 * A partition's lag now, and what its recent samples mean.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionLag {
  readonly sample: LagSample
  readonly status: LagStatus.LagStatus
}

/**
 * @category models
 * @since 0.1.0
 */
export interface LagMonitor {
  /** Looks at all partitions that this member holds. Never fails: without an answer from the broker it uses its last word. */
  readonly sample: Effect.Effect<ReadonlyArray<PartitionLag>>
}

const windowSamples = 10
const endOffsetsTimeout = "5 seconds"

/**
 * Each `sample` is one request for the ends of the partitions. The window that gives a status its meaning is the last
 * ten samples.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly service: string
  readonly group: () => string
  readonly consumer: Consumer["Service"]
}): LagMonitor => {
  const { consumer } = options
  let windows = new Map<string, ReadonlyArray<LagStatus.LagPoint>>()

  const endsOf = (partitions: ReadonlyArray<PartitionSnapshot>) =>
    partitions.length === 0
      ? Effect.succeed(new Map<string, bigint>())
      : consumer.endOffsets(partitions.map((one) => topicPartition(one.topic, one.partition))).pipe(
        Effect.timeoutOption(endOffsetsTimeout),
        Effect.orElseSucceed(() => Option.none()),
        Effect.map(Option.getOrElse(() => [])),
        Effect.map((ends) => new Map(ends.map((end) => [keyOf(end.topic, end.partition), end.offset])))
      )

  const sample = Effect.gen(function*() {
    const partitions = (yield* consumer.snapshot).filter(({ state }) => state !== "starting")
    const ends = yield* endsOf(partitions)
    const now = yield* Clock.currentTimeMillis
    const member = (yield* consumer.memberId) ?? ""
    const next = new Map<string, ReadonlyArray<LagStatus.LagPoint>>()
    const lags = partitions.flatMap((one): ReadonlyArray<PartitionLag> => {
      const key = keyOf(one.topic, one.partition)
      const end = ends.get(key) ?? one.highWatermark
      if (end === undefined) return []
      const point: LagStatus.LagPoint = {
        at: now,
        offset: one.watermark,
        end,
        inFlight: one.inFlight,
        paused: one.paused,
        halted: one.halted
      }
      const window = [...(windows.get(key) ?? []), point].slice(-windowSamples)
      next.set(key, window)
      return [{
        status: LagStatus.classify(window),
        sample: {
          service: options.service,
          group: options.group(),
          member,
          topic: one.topic,
          partition: one.partition,
          lag: LagStatus.lagOf(point),
          consumerOffset: one.watermark,
          endOffset: end,
          lagSeconds: LagStatus.ageSeconds(window, { now, oldestTimestamp: one.oldestTimestamp }),
          timestamp: now
        }
      }]
    })
    windows = next
    return lags
  })

  return { sample }
}
