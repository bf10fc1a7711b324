/** What the brokers accept in a join, asked once at the start. */
import type { BrokerLimits } from "@weft/config/Resolution"
import { Transport } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** A consumer does not wait longer for the brokers' word: then they will say it in the join. */
const patience = "3 seconds"

const ask = Effect.scoped(Effect.gen(function*() {
  const admin = yield* (yield* Transport).admin
  const { brokers } = yield* admin.describeCluster
  const [broker] = brokers
  if (broker === undefined) return undefined
  const entries = yield* admin.describeConfigs({ _tag: "Broker", id: broker.id })
  const number = (name: string): number | undefined => {
    const value = Number(entries.find((entry) => entry.name === name)?.value ?? NaN)
    return Number.isFinite(value) ? value : undefined
  }
  const groupMinSessionTimeoutMs = number("group.min.session.timeout.ms")
  const groupMaxSessionTimeoutMs = number("group.max.session.timeout.ms")
  return groupMinSessionTimeoutMs === undefined || groupMaxSessionTimeoutMs === undefined
    ? undefined
    : { groupMinSessionTimeoutMs, groupMaxSessionTimeoutMs }
}))

/** `undefined` where no broker answers in time, or it may not be asked. */
export const brokerLimits: Effect.Effect<BrokerLimits | undefined, never, Transport> = ask.pipe(
  Effect.timeoutOption(patience),
  Effect.map(Option.getOrUndefined),
  Effect.catch((error) => Effect.as(Effect.logDebug(`the brokers' limits are not known: ${error.message}`), undefined))
)
