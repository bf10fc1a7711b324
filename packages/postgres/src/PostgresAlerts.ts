/**
 * Alerts in PostgreSQL: the table `consumer_alerts`, whose changes are told on the channel `weft_alerts`.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { type StoredAlert } from "@weft/pipeline/Alert"
import * as AlertStore from "@weft/pipeline/AlertStore"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Schedule from "effect/Schedule"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import { changesOf, fromRows, select } from "./internal/alertRows.ts"
import { bounded } from "./internal/bounded.ts"
import { detailOf } from "./internal/sqlFault.ts"
import { storable } from "./internal/storable.ts"

/**
 * The channel on which every change of an alert is told, as JSON: `id`, `service`, `kind`, `state`, `acknowledged`.
 *
 * @category constants
 * @since 0.1.0
 */
export const channel = "weft_alerts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long a turn stays with a holder that is silent: what the others wait for when it dies. Default 45 seconds. */
  readonly lease?: Duration.Input | undefined
  /** How long a statement may take, waiting for a connection included. Default 10 seconds. */
  readonly queryTimeout?: Duration.Input | undefined
  /** How long closed alerts are kept. Default 90 days. */
  readonly retention?: Duration.Input | undefined
}

/**
 * Which alerts {@link list} answers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  /** Of one service only. */
  readonly service?: string | undefined
  /** The closed ones too, newest first; else the open ones, the worst and oldest first. */
  readonly all?: boolean | undefined
  /** At most so many. Default 1000. */
  readonly limit?: number | undefined
}

/**
 * The alerts that are there.
 *
 * @category reading
 * @since 0.1.0
 */
export const list = Effect.fnUntraced(function*(
  filter: Filter = {}
): Effect.fn.Return<ReadonlyArray<StoredAlert>, SqlError, PgClient.PgClient> {
  const sql = yield* PgClient.PgClient
  const service = filter.service === undefined ? sql`TRUE` : sql`service_name = ${storable(filter.service)}`
  const open = filter.all === true ? sql`TRUE` : sql`closed_at IS NULL`
  const order = filter.all === true
    ? sql`ORDER BY opened_at DESC, id DESC`
    : sql`ORDER BY severity, opened_at, id`
  return fromRows(yield* select(sql, sql`${service} AND ${open} ${order} LIMIT ${filter.limit ?? 1_000}::int`))
})

/**
 * The services that are known: that had an alert, were measured, have a configuration, or report.
 *
 * @category reading
 * @since 0.1.0
 */
export const services: Effect.Effect<ReadonlyArray<string>, SqlError, PgClient.PgClient> = Effect.flatMap(
  PgClient.PgClient,
  (sql) =>
    Effect.map(
      sql<{ readonly service: string }>`
        SELECT service_name AS service FROM consumer_alerts
        UNION SELECT service_name FROM pipeline_consumer_configs
        UNION SELECT service_name FROM consumer_applied_configs
        UNION SELECT service_name FROM v_current_consumer_lag
        ORDER BY service`,
      (rows) => rows.map(({ service }) => service)
    )
)

/**
 * Says that a person knows of alerts: of those with these ids, or of every open one of a service. Answers those that are
 * acknowledged by it, or were before; closed ones too, where their id is given.
 *
 * @category writing
 * @since 0.1.0
 */
export const acknowledge = Effect.fnUntraced(function*(
  which: { readonly ids: ReadonlyArray<string> } | { readonly service: string },
  by: string
): Effect.fn.Return<ReadonlyArray<StoredAlert>, SqlError, PgClient.PgClient> {
  const sql = yield* PgClient.PgClient
  const where = "ids" in which
    ? sql`id = ANY(${which.ids}::bigint[])`
    : sql`service_name = ${storable(which.service)} AND closed_at IS NULL`
  yield* sql`
    UPDATE consumer_alerts SET acknowledged_at = clock_timestamp(), acknowledged_by = ${storable(by)}
    WHERE ${where} AND acknowledged_at IS NULL`
  return fromRows(yield* select(sql, sql`${where} ORDER BY id`))
})

const failed = (error: SqlError) =>
  new AlertStore.AlertStoreError({ cause: error, message: `the alerts' database failed: ${detailOf(error)}` })

/**
 * Alerts in PostgreSQL. Processes that share the database take turns by leases in `consumer_alert_turns`; whoever has lost
 * the turn to evaluate can write nothing. About once an hour, closed alerts that are too old are deleted.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (options: Options = {}): Layer.Layer<AlertStore.AlertStore, never, PgClient.PgClient> =>
  Layer.effect(
    AlertStore.AlertStore,
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const pubsub = yield* PubSub.sliding<void>(1)
      const queryTimeout = options.queryTimeout ?? "10 seconds"
      const leaseSeconds = Duration.toSeconds(Duration.fromInputUnsafe(options.lease ?? "45 seconds"))
      const retentionSeconds = Duration.toSeconds(Duration.fromInputUnsafe(options.retention ?? "90 days"))
      const holder = `${hostname()}-${process.pid}`
      const token = randomUUID()
      /** Since when this process holds the turns that it was told to hold. */
      const held = new Map<string, number>()

      const late = new AlertStore.AlertStoreError({
        cause: undefined,
        message: "the alerts' database does not answer"
      })
      const ask = <A>(query: Effect.Effect<A, SqlError>): Effect.Effect<A, AlertStore.AlertStoreError> =>
        query.pipe(
          Effect.mapError(failed),
          bounded(queryTimeout),
          Effect.flatMap(Option.match({ onNone: () => Effect.fail(late), onSome: (found) => Effect.succeed(found) }))
        )

      const prune = sql`
        DELETE FROM consumer_alerts
        WHERE closed_at < now() - make_interval(secs => ${retentionSeconds}::double precision)`
      yield* prune.pipe(
        Effect.timeout("10 minutes"),
        Effect.catch((error) => Effect.logDebug(`old alerts could not be deleted: ${error.message}`)),
        Effect.repeat(Schedule.jittered(Schedule.spaced("1 hour"))),
        Effect.delay("1 minute"),
        Effect.forkScoped
      )

      return AlertStore.AlertStore.of({
        turn: (name) =>
          ask(sql<{ readonly since: number }>`
            INSERT INTO consumer_alert_turns AS turn (name, holder, token, taken_at, expires_at)
            VALUES (
              ${name}, ${holder}, ${token}::uuid, clock_timestamp(),
              clock_timestamp() + make_interval(secs => ${leaseSeconds}::double precision)
            )
            ON CONFLICT (name) DO UPDATE SET
              holder = EXCLUDED.holder, token = EXCLUDED.token, expires_at = EXCLUDED.expires_at,
              taken_at = CASE WHEN turn.token = EXCLUDED.token THEN turn.taken_at ELSE EXCLUDED.taken_at END
            WHERE turn.expires_at < clock_timestamp() OR turn.token = EXCLUDED.token
            RETURNING extract(epoch FROM taken_at)::double precision AS since`).pipe(
            Effect.map(([row]): AlertStore.Turn => {
              if (row === undefined) {
                held.delete(name)
                return "others"
              }
              const before = held.get(name)
              held.set(name, row.since)
              return before === row.since ? "kept" : "taken"
            })
          ),
        giveBack: (name) =>
          sql`DELETE FROM consumer_alert_turns WHERE name = ${name} AND token = ${token}::uuid`.pipe(
            bounded("2 seconds"),
            Effect.ignore,
            Effect.andThen(Effect.sync(() => void held.delete(name)))
          ),
        open: ask(Effect.map(select(sql, sql`closed_at IS NULL ORDER BY id`), fromRows)),
        record: (looked) =>
          ask(sql<{ readonly held: boolean }>`
            WITH held AS (
              SELECT 1 FROM consumer_alert_turns
              WHERE name = 'evaluate' AND token = ${token}::uuid AND expires_at > clock_timestamp()
              FOR UPDATE
            ), given AS (
              SELECT row.* FROM held, jsonb_to_recordset(${sql.json(changesOf(looked))}) AS row (
                operation text, service_name text, kind text, topic text, partition integer, severity text,
                message text, evidence jsonb, opened_at_ms double precision, closed_at_ms double precision, because text
              )
            ), opened AS (
              INSERT INTO consumer_alerts AS alert (
                service_name, kind, topic, partition, severity, message, evidence, opened_at, changed_at, last_seen
              )
              SELECT
                service_name, kind, topic, partition, severity, message, evidence, to_timestamp(opened_at_ms / 1000),
                to_timestamp(opened_at_ms / 1000), clock_timestamp()
              FROM given WHERE operation = 'open'
              ON CONFLICT (service_name, kind, (coalesce(topic, '')), (coalesce(partition, -1))) WHERE closed_at IS NULL
              DO UPDATE SET
                severity = EXCLUDED.severity, message = EXCLUDED.message, evidence = EXCLUDED.evidence,
                last_seen = EXCLUDED.last_seen
            ), changed AS (
              UPDATE consumer_alerts AS alert SET
                severity = given.severity, message = given.message, evidence = given.evidence,
                last_seen = clock_timestamp(),
                changed_at = CASE WHEN given.operation = 'change' THEN clock_timestamp() ELSE alert.changed_at END,
                closed_at = to_timestamp(given.closed_at_ms / 1000), closed_because = given.because
              FROM given
              WHERE given.operation <> 'open' AND alert.closed_at IS NULL
                AND alert.service_name = given.service_name AND alert.kind = given.kind
                AND coalesce(alert.topic, '') = coalesce(given.topic, '')
                AND coalesce(alert.partition, -1) = coalesce(given.partition, -1)
            )
            SELECT EXISTS (SELECT FROM held) AS held`).pipe(
            Effect.tap(() => looked.transitions.length === 0 ? Effect.void : PubSub.publish(pubsub, undefined)),
            Effect.map(([row]) => row?.held === true)
          ),
        untold: (sink, limit) =>
          ask(Effect.map(
            select(
              sql,
              sql`
                told ->> ${sink}::text IS DISTINCT FROM
                  CASE WHEN closed_at IS NULL THEN severity ELSE 'closed' END
                -- Both indexes are made for the first of these conditions, and for the other one no index can be.
                AND (closed_at IS NULL OR closed_at > now() - make_interval(secs => ${
                Math.max(AlertStore.closedWithinMs, AlertStore.untoldWithinMs) / 1_000
              }::double precision))
                AND (closed_at IS NULL OR closed_at > now() - CASE
                  WHEN told ? ${sink}::text THEN make_interval(secs => ${
                AlertStore.closedWithinMs / 1_000
              }::double precision)
                  ELSE make_interval(secs => ${AlertStore.untoldWithinMs / 1_000}::double precision)
                END)
                ORDER BY id LIMIT ${limit}::int`
            ),
            fromRows
          )),
        told: (sink, alerts) =>
          ask(sql`
            UPDATE consumer_alerts AS alert
            SET told = alert.told || jsonb_build_object(${sink}::text, given.state)
            FROM jsonb_to_recordset(${sql.json(alerts)}) AS given (id bigint, state text)
            WHERE alert.id = given.id`).pipe(Effect.asVoid),
        changes: Stream.fromPubSub(pubsub)
      })
    })
  )

/**
 * {@link layerWith} with the defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<AlertStore.AlertStore, never, PgClient.PgClient> = layerWith()
