import type * as Clock from "effect/Clock"

/** For what lies between two moments: milliseconds of a clock that nobody sets. The time of day may go back, or jump ahead. */
export const monotonicMs = (clock: Clock.Clock): number => Math.floor(Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
