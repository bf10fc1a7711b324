/**
 * Who is told of alerts.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { StoredAlert } from "./Alert.ts"

/**
 * Nobody is known to have been told; it is tried again, whatever the reason. The message holds no secret.
 *
 * @category errors
 * @since 0.1.0
 */
export class AlertSinkError extends Data.TaggedError("AlertSinkError")<{
  readonly message: string
  /** When the receiver wants to be asked again, where it said so. */
  readonly retryAfterMs: number | undefined
}> {}

/**
 * @category services
 * @since 0.1.0
 */
export class AlertSink extends Context.Service<AlertSink, {
  /** What its deliveries are recorded under: another name is another receiver, who is told everything. */
  readonly name: string
  /** As many alerts as are told in one go. */
  readonly batchSize: number
  /** Tells the present states of alerts, and ends once the receiver has them. */
  readonly deliver: (alerts: ReadonlyArray<StoredAlert>) => Effect.Effect<void, AlertSinkError>
}>()("@weft/pipeline/AlertSink") {}
