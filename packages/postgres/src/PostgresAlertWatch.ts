/**
 * Alerts for a program that has a database: judged and kept in PostgreSQL, and told to a webhook where there is one.
 *
 * ```ts
 * const Main = Pipeline.layer(georegions).pipe(Layer.merge(PostgresAlertWatch.layer), Layer.provide(...))
 * ```
 *
 * @since 0.1.0
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as AlertWatch from "@weft/pipeline/AlertWatch"
import * as AlertWebhook from "@weft/pipeline/AlertWebhook"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PostgresAlertFacts from "./PostgresAlertFacts.ts"
import * as PostgresAlerts from "./PostgresAlerts.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly watch?: AlertWatch.Options | undefined
  readonly delivery?: AlertWatch.DeliveryOptions | undefined
  readonly store?: PostgresAlerts.Options | undefined
  readonly facts?: PostgresAlertFacts.Options | undefined
}

/**
 * Judges all services that the database knows, by the rules of `AlertRules`, and tells the webhook that
 * `WEFT_ALERT_WEBHOOK_URL` names; without that variable nobody is told, and the alerts are in the table all the same.
 *
 * It may be in every member: they take turns. It is no part of the consuming: whatever happens to database or webhook, it
 * logs that once and goes on.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (
  options: Options = {}
): Layer.Layer<never, AlertWebhook.AlertWebhookConfigError, PgClient.PgClient> =>
  Layer.unwrap(Effect.map(AlertWebhook.configuredUrl(), (url) => {
    const told = Option.match(url, {
      onNone: () => Layer.empty,
      onSome: (address) =>
        AlertWatch.layerDelivery(options.delivery).pipe(
          Layer.provide(AlertWebhook.layer({ url: address })),
          Layer.provide(FetchHttpClient.layer)
        )
    })
    const judged = AlertWatch.layer(options.watch).pipe(Layer.provide(PostgresAlertFacts.layerWith(options.facts)))
    return Layer.merge(judged, told).pipe(Layer.provide(PostgresAlerts.layerWith(options.store)))
  }))

/**
 * {@link layerWith} with the defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never, AlertWebhook.AlertWebhookConfigError, PgClient.PgClient> = layerWith()
