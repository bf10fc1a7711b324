/**
 * What each member of each service runs with, kept where others can see it. Members report; people read.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as AppliedConfig from "./AppliedConfig.ts"
import type * as Resolution from "./Resolution.ts"

/**
 * A member, by the service that it runs and a name of its own that stays the same while it lives.
 *
 * @category models
 * @since 0.1.0
 */
export interface Member {
  readonly service: string
  readonly member: string
}

/**
 * What a member reports.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report extends Member {
  /** The consumer group that it is in. */
  readonly group: string
  /** The configuration as it is applied: values that wait for the next start are not in it. */
  readonly resolved: Resolution.Resolved
}

/**
 * A member with what it runs with.
 *
 * @category models
 * @since 0.1.0
 */
export interface AppliedMember extends Member {
  readonly group: string
  readonly applied: AppliedConfig.AppliedConfig
  /** Since when the member works with this configuration in this group, in milliseconds since 1970. */
  readonly appliedAt: number
  /** When the member was last known to live. */
  readonly lastSeen: number
}

/**
 * The members could not be read.
 *
 * @category errors
 * @since 0.1.0
 */
export class AppliedConfigsError extends Data.TaggedError("AppliedConfigsError")<{
  readonly message: string
  readonly cause: unknown
}> {}

/**
 * Keeps what members run with.
 *
 * @category services
 * @since 0.1.0
 */
export class AppliedConfigs extends Context.Service<AppliedConfigs, {
  /**
   * Says what a member runs with from now on; a member that says again what it runs with, runs with it since it first
   * said so. It answers at once and never fails: what cannot be stored now is stored
   * later, the last report of a member only.
   */
  readonly report: (report: Report) => Effect.Effect<void>
  /** Says that a member is gone. Answers at once and never fails. */
  readonly leave: (member: Member) => Effect.Effect<void>
  /** The members that have not left, of one service or of all, by service and name. */
  readonly list: (service?: string) => Effect.Effect<ReadonlyArray<AppliedMember>, AppliedConfigsError>
}>()("@weft/config/AppliedConfigs") {}

/**
 * Keeps nothing.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNone: Layer.Layer<AppliedConfigs> = Layer.succeed(AppliedConfigs, {
  report: () => Effect.void,
  leave: () => Effect.void,
  list: () => Effect.succeed([])
})

const byServiceAndName = (self: Member, that: Member) =>
  self.service === that.service
    ? self.member < that.member ? -1 : Number(self.member > that.member)
    : self.service < that.service
    ? -1
    : 1

/**
 * Keeps the members of this process in memory.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<AppliedConfigs> = Layer.sync(AppliedConfigs, () => {
  const members = new Map<string, AppliedMember>()
  const keyOf = ({ member, service }: Member) => JSON.stringify([service, member])
  return {
    report: ({ group, member, resolved, service }) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const key = keyOf({ service, member })
        const known = members.get(key)
        const applied = AppliedConfig.fromResolved(resolved)
        const isNew = known?.group !== group || !AppliedConfig.worksAlike(known.applied, applied)
        members.set(key, { service, member, group, applied, appliedAt: isNew ? now : known.appliedAt, lastSeen: now })
      }),
    leave: (member) => Effect.sync(() => void members.delete(keyOf(member))),
    list: (service) =>
      Effect.sync(() =>
        [...members.values()]
          .filter((one) => service === undefined || one.service === service)
          .toSorted(byServiceAndName)
      )
  }
})
