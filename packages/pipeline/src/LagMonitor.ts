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
import * as LagWindow from "./LagWindow.ts"
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
  readonly rates: LagWindow.Rates
  /** Until the lag is gone if records go on to come and go as they do; `undefined` where that will never be. */
  readonly secondsToDrain: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface LagMonitor {
  /** Looks at all partitions that this member holds. Never fails: without an answer from the broker it uses its last word. */
  readonly sample: Effect.Effect<ReadonlyArray<PartitionLag>>
}

const endOffsetsTimeout = "5 seconds"

/** What is remembered of a partition. */
interface Watched {
  readonly window: LagWindow.LagWindow
  /** The last look, counted from the first one, at which its queue was full. */
  fullAt: number
}

/** The broker's last word, where it does not answer now. */
const later = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined || (b !== undefined && b > a) ? b : a

/**
 * Each `sample` is one request for the ends of the partitions. The window that gives a status its meaning is the last
 * ten samples; the age of what is older is remembered beyond it.
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
  let watched = new Map<string, Watched>()
  let looks = 0

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
    const next = new Map<string, Watched>()
    looks++
    const lags = partitions.flatMap((one): ReadonlyArray<PartitionLag> => {
      const key = keyOf(one.topic, one.partition)
      const known = watched.get(key) ?? { window: new LagWindow.LagWindow(), fullAt: -Infinity }
      const { window } = known
      const end = ends.get(key) ?? later(one.highWatermark, window.last?.end)
      if (end === undefined) return []
      next.set(key, known)
      window.push({ at: now, offset: one.watermark, end })
      if (one.backPressured) known.fullAt = looks
      const points = window.points()
      const rates = LagWindow.rates(points)
      const lag = LagStatus.lagOf({ offset: one.watermark, end })
      const status = LagStatus.classify(points, {
        _tag: "Self",
        inFlight: one.inFlight,
        queued: one.queuedRecords,
        paused: one.paused,
        halted: one.halted,
        backPressured: looks - known.fullAt < window.capacity
      })
      return [{
        status,
        rates,
        secondsToDrain: LagWindow.secondsToDrain(lag, rates),
        sample: {
          service: options.service,
          group: options.group(),
          member,
          topic: one.topic,
          partition: one.partition,
          lag,
          consumerOffset: one.watermark,
          endOffset: end,
          lagSeconds: LagWindow.ageSeconds(window, { now, oldestTimestamp: one.oldestTimestamp }),
          status,
          timestamp: now
        }
      }]
    })
    watched = next
    return lags
  })

  return { sample }
}
