/**
 * What a member does when the coordinator, or the way to it, fails a request of the group protocol.
 *
 * @since 0.1.0
 */
import { codes } from "./ErrorCode.ts"
import type { Failure } from "./Failure.ts"

/**
 * What to do next.
 *
 * @category models
 * @since 0.1.0
 */
export type GroupReaction =
  /** The group rebalances: join again, as the same member. */
  | "rejoin"
  /** The membership is gone, with its partitions; the coordinator may still know the member. */
  | "lost"
  /** The membership is gone, and the member id with it. */
  | "forgotten"
  /** Another broker is the coordinator now, or this one does not answer: look for it, and ask again. */
  | "elsewhere"
  /** The same request, a little later. */
  | "later"
  /** Nothing that waiting mends. */
  | "fail"

/**
 * The reaction to a failure.
 *
 * @category constructors
 * @since 0.1.0
 */
export const groupReaction = (failure: Failure): GroupReaction => {
  switch (failure._tag) {
    case "Connection":
      return "elsewhere"
    case "Authentication":
    case "Unsupported":
    case "Other":
      return "fail"
    case "Protocol":
      switch (failure.code.code) {
        case codes.rebalanceInProgress:
          return "rejoin"
        case codes.illegalGeneration:
        case codes.fencedMemberEpoch:
          return "lost"
        case codes.unknownMemberId:
        // Emptied and removed, or of the other protocol by now, while the member was away.
        case codes.groupIdNotFound:
          return "forgotten"
        case codes.coordinatorNotAvailable:
        case codes.notCoordinator:
          return "elsewhere"
        case codes.coordinatorLoadInProgress:
        case codes.requestTimedOut:
        // Nobody knows what a broker did not expect: it is waited out, as the Java client's heartbeats do.
        case codes.unknownServerError:
        case codes.networkException:
        // The next heartbeat brings the epoch.
        case codes.staleMemberEpoch:
        // Of a static member whose predecessor has not been given up yet.
        case codes.unreleasedInstanceId:
          return "later"
        default:
          return "fail"
      }
  }
}

/**
 * Whether to ask again is all that there is to do, here or at another broker.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isPassing = (failure: Failure): boolean => {
  const reaction = groupReaction(failure)
  return reaction === "elsewhere" || reaction === "later"
}
