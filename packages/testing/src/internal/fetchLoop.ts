/**
 * The fetch loop of a consumer: one fetch after the other, each handed over before the next, for as long as there is
 * anything to fetch.
 */
import type { ConsumerSettings } from "@weft/kafka/ConsumerSettings"
import { type KafkaError, UnknownTopicError } from "@weft/kafka/KafkaError"
import type { TransportHandler } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Codes from "./errorCodes.ts"
import type { FetchedPart, FetchSession } from "./fetchSession.ts"
import type { RequestFailed } from "./network.ts"
import type { Signal } from "./signal.ts"
import * as World from "./world.ts"

type Answer = ReadonlyArray<FetchedPart> | undefined

const isEmpty = (answer: Answer): boolean => answer === undefined || answer.length === 0

/** What the loop reads anew for each fetch. */
export const fetchSettings: ReadonlySet<keyof ConsumerSettings> = new Set([
  "fetchMinBytes",
  "fetchMaxWaitMs",
  "fetchMaxBytes",
  "maxPartitionFetchBytes"
])

export const make = (options: {
  readonly world: World.World
  /** As they are now: fetch sizes and waits may change while it runs. */
  readonly settings: () => ConsumerSettings
  readonly handler: TransportHandler
  readonly session: FetchSession
  /** Told when there may be something new to fetch. */
  readonly signal: Signal
  readonly send: (
    poll: Effect.Effect<Answer>,
    waited: (answer: Answer) => boolean
  ) => Effect.Effect<Answer, RequestFailed>
  /** Ends the consumer. */
  readonly fail: (error: KafkaError) => void
}): Effect.Effect<never, KafkaError> => {
  const { fail, handler, send, session, settings, signal, world } = options
  const { timers } = world
  const { reconnectBackoffMaxMs, retryBackoffMs } = settings()
  const backoff = { retryBackoffMs, maxMs: reconnectBackoffMaxMs }

  /**
   * A fetch as the broker sees it: it waits for enough bytes, and for no longer than it was told. One that finds nothing
   * ends at a multiple of its wait, so that idle members wake together: fewer moments for the clock to stop at.
   */
  const poll: Effect.Effect<Answer> = Effect.gen(function*() {
    const { fetchMaxBytes, fetchMaxWaitMs, fetchMinBytes, maxPartitionFetchBytes } = settings()
    const maxWaitMs = Math.max(1, fetchMaxWaitMs)
    const deadline = timers.now() + maxWaitMs
    const quietDeadline = deadline - deadline % maxWaitMs
    const round = session.round()
    while (!session.hasBytes(fetchMinBytes)) {
      const until = fetchMinBytes > 1 && session.hasBytes(1) ? deadline : quietDeadline
      if (timers.now() >= until) break
      yield* signal.wait(until)
      // What is fetched has changed meanwhile: the question is put anew.
      if (session.round() !== round) return undefined
    }
    return session.read({ maxBytes: fetchMaxBytes, maxPartitionBytes: maxPartitionFetchBytes })
  })

  const handOver = (part: FetchedPart): void => {
    if (!session.accept(part)) return
    const { partition, topic } = part.slot.it
    switch (part._tag) {
      case "Batch":
        return handler.onBatch(part.batch)
      case "OutOfRange":
        return handler.onOutOfRange(part.slot.it, part.position)
      case "Gone":
        return fail(new UnknownTopicError({ topic, partition }))
    }
  }

  return Effect.gen(function*() {
    for (let failures = 0;;) {
      if (session.isIdle()) {
        yield* signal.wait()
        continue
      }
      const answer = yield* Effect.result(send(poll, isEmpty))
      if (Result.isSuccess(answer)) {
        failures = 0
        if (answer.success === undefined) continue
        handler.onAlive("fetch")
        for (const part of answer.success) handOver(part)
        // Others run between two fetches, also where there is always something to fetch.
        yield* Effect.yieldNow
        continue
      }
      session.readAgain()
      const { code } = answer.failure
      if (!Codes.isRetriable(code)) return yield* Codes.adminError("fetch", code, session.topics().join(", "))
      yield* timers.sleep(World.backoffMs(backoff, failures++))
    }
  })
}
