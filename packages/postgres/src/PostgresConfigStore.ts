/**
 * The configuration of consumers in PostgreSQL: rows of `pipeline_consumer_configs`, workload profiles and the rules that
 * give them to services, read and watched.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import type * as ConfigIssue from "@weft/config/ConfigIssue"
import type * as ConfigRow from "@weft/config/ConfigRow"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as LastKnownGood from "@weft/config/LastKnownGood"
import * as LastKnownGoodFiles from "@weft/config/LastKnownGoodFiles"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { bounded } from "./internal/bounded.ts"
import { databaseName } from "./internal/databaseUrl.ts"
import { listen } from "./internal/listen.ts"
import * as ReadConfig from "./internal/readConfig.ts"
import { isMissingTable, noRow } from "./internal/sqlFault.ts"

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
  /**
   * Where what was read is kept for a start without the database. Default `LastKnownGoodFiles.layer`: a file in
   * `WEFT_STATE_DIR`; `LastKnownGood.layerNone` keeps nothing.
   */
  readonly lastKnownGood?: Layer.Layer<LastKnownGood.LastKnownGood> | undefined
}

interface Subscriber {
  readonly service: string
  readonly signals: Queue.Queue<void>
}

const noRowFor = (reason: ConfigIssue.NoRow): ConfigRow.RowResult => ({ _tag: "NoRow", reason })

const makeRead = (client: PgClient.PgClient, queryTimeout: Duration.Input) => {
  const timeoutMs = Duration.toMillis(Duration.fromInputUnsafe(queryTimeout))
  const read = (service: string, profile: string) =>
    ReadConfig.readAll(client, service, [profile]).pipe(
      Effect.catchIf(isMissingTable, () => ReadConfig.readRow(client, service)),
      Effect.map((found) => ReadConfig.toRow(service, found)),
      Effect.catch((error) => Effect.succeed(noRowFor(noRow(service, error, timeoutMs)))),
      bounded(queryTimeout),
      Effect.map(Option.getOrElse(() => noRowFor({ _tag: "DatabaseTimeout", service, timeoutMs })))
    )
  return (service: string, profile = "default"): Effect.Effect<ConfigRow.RowResult> =>
    ReadConfig.isUnstorable(service)
      ? Effect.succeed(noRowFor({ _tag: "MissingRow", service }))
      : read(service, ReadConfig.isUnstorable(profile) ? "default" : profile)
}

/** After a signal, others wait this long and are one: a burst of changes is read once and once more at its end. */
const coalescing = "50 millis"

/**
 * A store on the table `pipeline_consumer_configs`.
 *
 * Reading is one statement, and never fails and never hangs: a missing row, a missing table, a slow or absent database
 * each have their own issue, and the last row that was read holds meanwhile; where none was since the process started,
 * the last known good configuration does. Changes arrive by `NOTIFY weft_config`, and by polling where a notification is
 * lost. Listening has a connection of its own beside the pool's; when it is lost it is opened again, and all rows are
 * read anew.
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
      const kept = yield* LastKnownGood.LastKnownGood
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
          const notified = Stream.flatMap(
            Stream.fromQueue(subscriber.signals),
            () =>
              Stream.concat(
                Stream.succeed<unknown>(undefined),
                Stream.drain(Stream.fromEffect(Effect.sleep(coalescing)))
              )
          )
          return Stream.succeed<unknown>(undefined).pipe(
            Stream.concat(Stream.merge(notified, polls))
          )
        }))

      const source = { read: makeRead(client, options.queryTimeout ?? "5 seconds"), signals }
      return ConfigStore.make(LastKnownGood.remember(source, kept, databaseName(client.config)))
    })
  ).pipe(Layer.provide(options.lastKnownGood ?? LastKnownGoodFiles.layer))

/**
 * {@link layerWith} with the defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<ConfigStore.ConfigStore, never, PgClient.PgClient> = layerWith()
