/**
 * A member that would rather speak the protocol of KIP-848, and speaks the classic one where the group's coordinator does
 * not have the other, or does not let the group change to it: a setting never stops a consumer.
 */
import type { KafkaError } from "@weft/kafka/KafkaError"
import type { TransportHandler } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { codes, errorCode } from "../ErrorCode.ts"
import { epochMembership } from "./epochMembership.ts"
import { joinedMembership, type MemberOptions, type Membership } from "./membership.ts"

/** Members of the classic protocol are in the group, and `group.consumer.migration.policy` lets it not change. */
const isClassicGroup = errorCode(codes.groupIdNotFound).name

/** The brokers know the request, and have the protocol switched off. */
const isSwitchedOff = errorCode(codes.unsupportedVersion).name

/** Why the coordinator takes no member of that protocol; `undefined`: it may. */
const refusal = (error: KafkaError): string | undefined => {
  switch (error._tag) {
    case "UnsupportedError":
      return "the brokers do not have the other one (Kafka 4.0 does)"
    case "TransportError":
      return error.reason === isSwitchedOff ? "the brokers have the other one switched off" : undefined
    case "GroupError":
      return error.code === isClassicGroup
        ? "the group has members of it, and the brokers' group.consumer.migration.policy lets it not change"
        : undefined
    default:
      return undefined
  }
}

export const preferredMembership = Effect.fnUntraced(function*(
  options: MemberOptions
): Effect.fn.Return<Membership, never, Scope.Scope> {
  const scope = yield* Scope.Scope
  const preferred = yield* Scope.fork(scope)
  let hasJoined = false
  let leaving = false
  const handler: TransportHandler = {
    ...options.handler,
    onAssignment: (assignment) => {
      hasJoined = true
      return options.handler.onAssignment(assignment)
    }
  }
  let member = yield* Scope.provide(epochMembership({ ...options, handler }), preferred)

  const speakClassic = Effect.fnUntraced(function*(reason: string) {
    options.handler.onAdapted?.({ setting: "groupProtocol", value: "consumer", instead: `classic: ${reason}` })
    yield* Scope.close(preferred, Exit.void)
    member = yield* Scope.provide(joinedMembership(options), scope)
    return yield* member.run
  })

  return {
    run: Effect.catch(member.run, (error) => {
      // That a group is kept classic, only a join fails with: it may be so since a member was away.
      const reason = hasJoined && error._tag !== "GroupError" ? undefined : refusal(error)
      if (reason === undefined) return Effect.fail(error)
      // Whoever leaves interrupts; until then nothing joins that nobody would take out of the group.
      return leaving ? Effect.never : speakClassic(reason)
    }),
    identity: () => member.identity(),
    heartbeat: Effect.suspend(() => member.heartbeat),
    refused: (identity, reaction) => member.refused(identity, reaction),
    leave: Effect.suspend(() => {
      leaving = true
      return member.leave
    })
  }
})
