/**
 * A sink behind a bounded buffer: whoever measures never waits for it, and while it is away the newest measurements are
 * kept.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Measurements, MetricsSink } from "../MetricsSink.ts"
import { dropped } from "./instruments.ts"
import { MetricsBuffer } from "./metricsBuffer.ts"

export interface BufferedSink {
  /** Hands measurements over, to be written in the background. */
  readonly offer: (measurements: Measurements) => void
  /** Writes what waits, as far as the sink takes it within a few seconds. */
  readonly flush: Effect.Effect<void>
}

/** Measurements of each kind that wait: of 64 partitions every ten seconds, twenty-six minutes of them. */
const bufferMax = 10_000
const writeTimeout = Duration.seconds(30)
const flushTimeout = Duration.seconds(5)

export const make = Effect.fnUntraced(function*(
  sink: MetricsSink["Service"],
  options: {
    /** Measurements of each kind that wait at most. */
    readonly max?: number | undefined
  } = {}
): Effect.fn.Return<BufferedSink, never, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const buffer = new MetricsBuffer(options.max ?? bufferMax)
  const offered = yield* Latch.make(false)
  const turn = yield* Semaphore.make(1)
  let countedDrops = 0
  let isAway = false

  const countDrops = () => {
    if (buffer.dropped === countedDrops) return
    dropped.updateUnsafe(buffer.dropped - countedDrops, context)
    countedDrops = buffer.dropped
  }

  const write = turn.withPermits(1)(Effect.suspend(() => {
    if (buffer.size === 0) return Effect.void
    const measurements = buffer.takeAll()
    return sink.write(measurements).pipe(
      Effect.timeout(writeTimeout),
      Effect.matchCauseEffect({
        onFailure: (cause) => {
          buffer.restore(measurements)
          countDrops()
          if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
          if (isAway) return Effect.void
          isAway = true
          return Effect.logWarning("the metrics sink is away; measurements are kept in a bounded buffer", cause)
        },
        onSuccess: () => {
          if (!isAway) return Effect.void
          isAway = false
          return Effect.logInfo(`the metrics sink is back; ${buffer.dropped} measurements were dropped meanwhile`)
        }
      })
    )
  }))

  yield* Effect.forkScoped(Effect.forever(Effect.andThen(
    offered.await,
    Effect.suspend(() => {
      offered.closeUnsafe()
      return write
    })
  )))

  return {
    offer: (measurements) => {
      buffer.add(measurements)
      countDrops()
      offered.openUnsafe()
    },
    flush: write.pipe(Effect.timeoutOption(flushTimeout), Effect.asVoid)
  }
})
