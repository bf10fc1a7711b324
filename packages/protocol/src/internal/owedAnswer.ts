/** A frozen broker owes its answer for as long as its connection lives, and says nothing of that. */
import * as Effect from "effect/Effect"
import type { Failure } from "../Failure.ts"

/** How often it is looked whether a broker that owes an answer is still the one to ask. */
export const lookAgainMs = 10_000

/** For whoever waits for an answer: fails once `look` finds that another broker is to be asked. */
export const whileOwed = (look: Effect.Effect<Failure | undefined>): Effect.Effect<never, Failure> =>
  Effect.sleep(lookAgainMs).pipe(
    Effect.andThen(look),
    Effect.flatMap((failure) => failure === undefined ? Effect.void : Effect.fail(failure)),
    Effect.forever
  )
