/** What becomes of a record batch that was not simply acknowledged. */
import { codes } from "../ErrorCode.ts"
import { type Failure, isRetriableFailure } from "../Failure.ts"

export type ProduceReaction =
  /** The broker has it already. */
  | "written"
  /** Again, later. It may have been written: only the same bytes under the same sequence may follow. */
  | "again"
  /** Again, once it is known who leads the partition. */
  | "elsewhere"
  /** The broker knows nothing of this producer, or not enough: again, as a new one. It was not written. */
  | "anew"
  /** Too large for the topic: in halves. It was not written. */
  | "split"
  /** It was not written, and will not be. */
  | "fail"

export const produceReaction = (failure: Failure): ProduceReaction => {
  switch (failure._tag) {
    case "Connection":
      return "again"
    case "Authentication":
    case "Unsupported":
    case "Other":
      return "fail"
    case "Protocol":
      switch (failure.code.code) {
        case codes.duplicateSequence:
          return "written"
        case codes.unknownProducerId:
        case codes.outOfOrderSequence:
        case codes.invalidProducerEpoch:
          return "anew"
        case codes.messageTooLarge:
        case codes.recordListTooLarge:
          return "split"
        case codes.unknownTopicOrPartition:
        case codes.leaderNotAvailable:
        case codes.notLeader:
        case codes.kafkaStorageError:
        case codes.fencedLeaderEpoch:
        case codes.unknownLeaderEpoch:
          return "elsewhere"
        default:
          return isRetriableFailure(failure) ? "again" : "fail"
      }
  }
}
