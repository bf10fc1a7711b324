/**
 * What each member runs with, in the table `consumer_applied_configs`.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as AppliedConfig from "@weft/config/AppliedConfig"
import * as AppliedConfigs from "@weft/config/AppliedConfigs"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { SqlError } from "effect/sql/SqlError"
import { bounded } from "./internal/bounded.ts"
import { readMembers } from "./internal/memberRows.ts"
import { detailOf } from "./internal/sqlFault.ts"
import { storable, storableJson } from "./internal/storable.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How often members say that they live, give or take a fifth. Default 30 seconds. */
  readonly interval?: Duration.Input | undefined
  /** How long a statement may take, waiting for a connection included. Default 5 seconds. */
  readonly queryTimeout?: Duration.Input | undefined
  /** How long members that are gone are kept. Default 7 days. */
  readonly retention?: Duration.Input | undefined
}

interface Row {
  readonly service_name: string
  readonly member: string
  readonly consumer_group_id: string
  readonly revision: number | null
  readonly profile: string
  readonly configuration: AppliedConfig.AppliedConfig
  readonly applied_at_ms: number
  readonly has_left: boolean
}

const failed = (error: SqlError) =>
  new AppliedConfigs.AppliedConfigsError({ cause: error, message: `the members cannot be read: ${detailOf(error)}` })

/**
 * Members of this process are written in the background, all in one statement: at once when one of them reports, and
 * every `interval` to say that they live. While the database is away the last report of each waits in memory. When the
 * layer ends, the members that are left are told to have left.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerWith = (
  options: Options = {}
): Layer.Layer<AppliedConfigs.AppliedConfigs, never, PgClient.PgClient> =>
  Layer.effect(
    AppliedConfigs.AppliedConfigs,
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const intervalMs = Duration.toMillis(Duration.fromInputUnsafe(options.interval ?? "30 seconds"))
      const retentionSeconds = Duration.toSeconds(Duration.fromInputUnsafe(options.retention ?? "7 days"))
      const queryTimeout = options.queryTimeout ?? "5 seconds"
      const members = new Map<string, Row>()
      const news = Latch.makeUnsafe(false)
      const keyOf = (service: string, member: string) => JSON.stringify([service, member])
      let isTold = false

      const upsert = (rows: ReadonlyArray<Row>) =>
        sql`
          INSERT INTO consumer_applied_configs AS known
            (service_name, member, consumer_group_id, revision, profile, configuration, applied_at, last_seen, left_at)
          SELECT
            service_name, member, consumer_group_id, revision, profile, configuration,
            to_timestamp(applied_at_ms / 1000), clock_timestamp(), CASE WHEN has_left THEN clock_timestamp() END
          FROM jsonb_to_recordset(${sql.json(rows)}) AS row (
            service_name text, member text, consumer_group_id text, revision integer, profile text, configuration jsonb,
            applied_at_ms double precision, has_left boolean
          )
          ON CONFLICT (service_name, member) DO UPDATE SET
            consumer_group_id = EXCLUDED.consumer_group_id, revision = EXCLUDED.revision, profile = EXCLUDED.profile,
            configuration = EXCLUDED.configuration, applied_at = EXCLUDED.applied_at, last_seen = EXCLUDED.last_seen,
            left_at = EXCLUDED.left_at`

      const prune = sql`
        DELETE FROM consumer_applied_configs
        WHERE last_seen < clock_timestamp() - make_interval(secs => ${retentionSeconds}::double precision)`

      const tell = (error: SqlError) =>
        Effect.suspend(() => {
          if (isTold) return Effect.void
          isTold = true
          return Effect.logInfo(`what members run with cannot be stored now: ${detailOf(error)}`)
        })

      /** Whether it was stored. */
      const store = (rows: ReadonlyArray<Row>) =>
        upsert(rows).pipe(
          bounded(queryTimeout),
          Effect.map(Option.isSome),
          Effect.catch((error) => Effect.as(tell(error), false))
        )

      const write = Effect.gen(function*() {
        const rows = [...members.values()]
        if (rows.length === 0) return
        const isStored = yield* store(rows)
        // One that the database refuses must not cost the others.
        const stored = isStored || rows.length === 1
          ? rows.filter(() => isStored)
          : yield* Effect.filter(rows, (row) => store([row]))
        if (stored.length === rows.length) isTold = false
        for (const row of stored) {
          const key = keyOf(row.service_name, row.member)
          if (row.has_left && members.get(key) === row) members.delete(key)
        }
      })

      const writer = Effect.gen(function*() {
        const part = yield* Random.nextBetween(0.8, 1.2)
        yield* Effect.timeoutOption(news.await, intervalMs * part)
        news.closeUnsafe()
        yield* write
        // Reports that follow each other closely are written together.
        yield* Effect.sleep("100 millis")
      })
      yield* Effect.addFinalizer(() =>
        Effect.suspend(() => {
          for (const [key, row] of members) members.set(key, { ...row, has_left: true })
          return Effect.timeoutOption(write, "2 seconds")
        })
      )
      yield* Effect.forkScoped(Effect.forever(writer))
      yield* prune.pipe(
        bounded("1 minute"),
        Effect.ignore,
        Effect.andThen(Effect.sleep("1 hour")),
        Effect.forever,
        Effect.delay("1 minute"),
        Effect.forkScoped
      )

      return AppliedConfigs.AppliedConfigs.of({
        report: ({ group, member, resolved, service }) =>
          Effect.map(Clock.currentTimeMillis, (now) => {
            const key = keyOf(storable(service), storable(member))
            const known = members.get(key)
            const consumer_group_id = storable(group)
            const configuration = storableJson(AppliedConfig.fromResolved(resolved)) as AppliedConfig.AppliedConfig
            // A signal that the row may have changed, or a database that is back, makes no new configuration of it.
            const isNew = known === undefined || known.has_left || known.consumer_group_id !== consumer_group_id
              || !AppliedConfig.worksAlike(known.configuration, configuration)
            members.set(key, {
              service_name: storable(service),
              member: storable(member),
              consumer_group_id,
              revision: resolved.revision ?? null,
              profile: storable(resolved.profile),
              configuration,
              applied_at_ms: isNew ? now : known.applied_at_ms,
              has_left: false
            })
            news.openUnsafe()
          }),
        leave: ({ member, service }) =>
          Effect.sync(() => {
            const key = keyOf(storable(service), storable(member))
            const row = members.get(key)
            if (row === undefined) return
            members.set(key, { ...row, has_left: true })
            news.openUnsafe()
          }),
        list: (service) =>
          readMembers(sql, service).pipe(
            Effect.mapError(failed),
            bounded(queryTimeout),
            Effect.flatMap(Option.match({
              onNone: () =>
                Effect.fail(
                  new AppliedConfigs.AppliedConfigsError({
                    cause: undefined,
                    message: "the members cannot be read: the database does not answer"
                  })
                ),
              onSome: (found) => Effect.succeed(found)
            }))
          )
      })
    })
  )

/**
 * {@link layerWith} with the defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<AppliedConfigs.AppliedConfigs, never, PgClient.PgClient> = layerWith()
