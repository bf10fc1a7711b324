/** How long something is asked again that has no deadline of its own, and that a broker may answer a moment later. */
import * as Schedule from "effect/Schedule"
import { codes } from "../ErrorCode.ts"
import type { Failure } from "../Failure.ts"

/** What a broker says at once while a leader or a coordinator is found, or loads. */
const settling: ReadonlySet<number> = new Set([
  codes.leaderNotAvailable,
  codes.notLeader,
  codes.coordinatorLoadInProgress,
  codes.coordinatorNotAvailable,
  codes.notCoordinator,
  codes.offsetNotAvailable
])

/** An election, or the first use of the topic of the offsets, takes seconds where brokers are busy. */
const settlesWithinMs = 15_000

/** Of brokers that do not answer, which takes its own time, and of all else. */
const retries = 5

const isSettling = (failure: Failure): boolean => failure._tag === "Protocol" && settling.has(failure.code.code)

export const again = <E>(backoffMs: number, failureOf: (error: E) => Failure): Schedule.Schedule<number, E> => {
  const spaced: Schedule.Schedule<number, E> = Schedule.spaced(backoffMs)
  return Schedule.while(
    spaced,
    ({ attempt, elapsed, input }) => isSettling(failureOf(input)) ? elapsed < settlesWithinMs : attempt <= retries
  )
}
