/**
 * What a session timeout may be: within the bounds of the setting, and within what the brokers accept in a JoinGroup.
 * Pure.
 */
import * as Setting from "../Setting.ts"

/** `group.min.session.timeout.ms` and `group.max.session.timeout.ms` of the brokers. */
export interface BrokerLimits {
  readonly groupMinSessionTimeoutMs: number
  readonly groupMaxSessionTimeoutMs: number
}

export interface SessionBounds {
  readonly min: Setting.Bound
  readonly max: Setting.Bound
  /** Why the brokers' limits cannot be kept, where they cannot. */
  readonly fault?: string
}

const { max, min } = Setting.settings.sessionTimeoutMs

const isLimit = (value: number) => Number.isInteger(value) && value >= 0

export const sessionBounds = (broker: BrokerLimits | undefined): SessionBounds => {
  if (broker === undefined) return { min, max }
  const { groupMaxSessionTimeoutMs: brokerMax, groupMinSessionTimeoutMs: brokerMin } = broker
  if (!isLimit(brokerMin) || !isLimit(brokerMax) || brokerMin > brokerMax) {
    return { min, max, fault: "they are no limits" }
  }
  if (brokerMax < min.value || brokerMin > max.value) {
    const nearest = brokerMax < min.value ? min : max
    return {
      min: nearest,
      max: nearest,
      fault: `no session timeout of ${min.value} to ${max.value} is within them, and the brokers will refuse the member`
    }
  }
  return {
    min: brokerMin > min.value ? { value: brokerMin, reason: "the brokers' group.min.session.timeout.ms" } : min,
    max: brokerMax < max.value ? { value: brokerMax, reason: "the brokers' group.max.session.timeout.ms" } : max
  }
}
