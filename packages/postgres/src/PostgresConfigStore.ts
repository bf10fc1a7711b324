/**
 * The configuration of consumers in PostgreSQL: rows of `pipeline_consumer_configs`, read and watched.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as ConfigIssue from "@weft/config/ConfigIssue"
import * as ConfigStore from "@weft/config/ConfigStore"
import type * as Resolution from "@weft/config/Resolution"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { bounded } from "./internal/bounded.ts"
import { listen } from "./internal/listen.ts"
import { noRow } from "./internal/sqlFault.ts"

/**
 * The channel on which the database announces changed rows; the payload is the name of the service, or empty for any.
 *
 * @category models
 * @since 0.1.0
 */
export const channel = "weft_config"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How often a row is read without a notification, give or take a fifth. Default 30 seconds. */
  readonly pollInterval?: Duration.Input | undefined
  /** How long reading a row may take, waiting for a connection included. Default 5 seconds. */
  readonly queryTimeout?: Duration.Input | undefined
}

interface Subscriber {
  readonly service: string
  readonly signals: Queue.Queue<void>
}

/** No row can be called that: the database has no place for it, or would make it another name. */
const isUnstorable = (service: string) => service.includes("\u0000") || !service.isWellFormed()

const noRowFor = (reason: ConfigIssue.NoRow): Resolution.RowResult => ({ _tag: "NoRow", reason })

const makeRead = (client: PgClient.PgClient, queryTimeout: Duration.Input) => {
  const timeoutMs = Duration.toMillis(Duration.fromInputUnsafe(queryTimeout))
  const read = (service: string) =>
    // As JSON, a row can be read whatever columns it has and whatever their types; nor does a cached plan break when a
    // column is added.
    client<{ columns: Record<string, unknown> }>`
      SELECT to_jsonb(config) AS columns FROM pipeline_consumer_configs AS config WHERE service_name = ${service}
    `.pipe(
      Effect.map(([row]): Resolution.RowResult =>
        row === undefined ? noRowFor({ _tag: "MissingRow", service }) : { _tag: "Row", columns: row.columns }
      ),
      Effect.catch((error) => Effect.succeed(noRowFor(noRow(service, error, timeoutMs)))),
      bounded(queryTimeout),
      Effect.map(Option.getOrElse(() => noRowFor({ _tag: "DatabaseTimeout", service, timeoutMs })))
    )
  return (service: string): Effect.Effect<Resolution.RowResult> =>
    isUnstorable(service) ? Effect.succeed(noRowFor({ _tag: "MissingRow", service })) : read(service)
}

/**
 * A store on the table `pipeline_consumer_configs`.
 *
 * Reading never fails and never hangs: a missing row, a missing table, a slow or absent database each have their own
 * issue, and the last row that was read holds meanwhile. Changes arrive by `NOTIFY weft_config`, and by polling where a
 * notification is lost. Listening has a connection of its own beside the pool's; when it is lost it is opened again, and
 * all rows are read anew.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (
  options: Options = {}
): Layer.Layer<ConfigStore.ConfigStore, never, PgClient.PgClient> =>
  Layer.effect(
    ConfigStore.ConfigStore,
    Effect.gen(function*() {
      const client = yield* PgClient.PgClient
      const subscribers = new Set<Subscriber>()
      const signal = (concerns: (service: string) => boolean) =>
        Effect.sync(() => {
          for (const { service, signals } of subscribers) {
            if (concerns(service)) Queue.offerUnsafe(signals, undefined)
          }
        })
      yield* Effect.forkScoped(
        listen(
          client.config,
          channel,
          signal(() => true),
          // A payload is compared and nothing else: one that is no service here has no effect.
          (payload) => signal((service) => payload === "" || payload === service)
        )
      )

      const polls = Stream.fromSchedule(Schedule.jittered(Schedule.spaced(options.pollInterval ?? "30 seconds")))
      const signals = (service: string) =>
        Stream.unwrap(Effect.gen(function*() {
          const subscriber: Subscriber = { service, signals: yield* Queue.sliding<void>(1) }
          yield* Effect.acquireRelease(
            Effect.sync(() => subscribers.add(subscriber)),
            () => Effect.sync(() => subscribers.delete(subscriber))
          )
          return Stream.succeed<unknown>(undefined).pipe(
            Stream.concat(Stream.merge(Stream.fromQueue(subscriber.signals), polls))
          )
        }))

      return ConfigStore.make({ read: makeRead(client, options.queryTimeout ?? "5 seconds"), signals })
    })
  )

/**
 * {@link layerWith} with the defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<ConfigStore.ConfigStore, never, PgClient.PgClient> = layerWith()
