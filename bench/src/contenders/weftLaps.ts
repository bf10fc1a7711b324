/** Weft, reading the topic again and again. */
import type { Consumer } from "@weft/kafka/Consumer"
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as References from "effect/References"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type { Progress, Task } from "./Contender.ts"
import { lapMaxWaitMs, Laps } from "./laps.ts"
import { weftSettings } from "./weftSettings.ts"

export const lapSettings = { ...weftSettings, fetchMaxWaitMs: lapMaxWaitMs }

/** A line for each partition in each lap, and for each lag that jumps with it, is nothing that anybody reads. */
export const quietly = Effect.provideService(References.MinimumLogLevel, "Error")

/** All partitions back to their beginning. */
export const rewind = ({ assignment, seek }: Consumer["Service"]) =>
  Effect.flatMap(
    SubscriptionRef.get(assignment),
    Effect.forEach((partition) => seek(partition, 0n), { discard: true })
  )

/** Laps, and what has a consumer run them; that one goes on for ever, as long as nothing goes wrong. */
export const makeLaps = Effect.fnUntraced(function*(task: Task, progress: Pick<Progress, "seen">) {
  const ended = yield* Queue.unbounded<void>()
  const laps = new Laps(task.records, progress, () => Queue.offerUnsafe(ended, undefined))
  const run = (consumer: Consumer["Service"]): Effect.Effect<never, KafkaError> =>
    Effect.forever(Effect.andThen(Queue.take(ended), rewind(consumer)))
  return { laps, run }
})

/** Starts a pipeline that counts its records with these laps; `failure` waits for whatever goes wrong. */
export const startInLaps = Effect.fnUntraced(function*(
  task: Task,
  progress: Pick<Progress, "seen">,
  made: (laps: Laps) => Pipeline.Pipeline
) {
  const { laps, run } = yield* makeLaps(task, progress)
  const { consumer, failure } = yield* Pipeline.startWithin(made(laps))
  return { consumer, failure: Effect.raceFirst(failure, run(consumer)) }
})
