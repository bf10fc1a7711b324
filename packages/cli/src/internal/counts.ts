/** Flags that say how many. */
import * as Effect from "effect/Effect"
import { CliFailure } from "../CliFailure.ts"

/** At least one, and no more than one answer should hold. */
export const positive = (flag: string, value: number): Effect.Effect<number, CliFailure> =>
  value >= 1 && value <= 1_000_000 ? Effect.succeed(value) : Effect.fail(
    new CliFailure({ kind: "Usage", message: `${flag} is a number from 1 to 1000000, not ${value}` })
  )
