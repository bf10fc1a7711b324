/**
 * Changes a service's row in one transaction, after telling what comes of it.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as AppliedConfig from "@weft/config/AppliedConfig"
import type * as AppliedConfigs from "@weft/config/AppliedConfigs"
import * as ConfigIssue from "@weft/config/ConfigIssue"
import * as ReloadPlan from "@weft/config/ReloadPlan"
import * as Resolution from "@weft/config/Resolution"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { ConfigChangeError, type ChangeOptions, type MemberOutcome, type Outcome } from "../ConfigChange.ts"
import { bounded } from "./bounded.ts"
import { readMembers } from "./memberRows.ts"
import * as ReadConfig from "./readConfig.ts"
import * as RowEdit from "./rowEdit.ts"
import { detailOf, isMissingTable, sqlStateOf } from "./sqlFault.ts"
import { storable } from "./storable.ts"

/** The columns to set, or that the row is to go. */
export type Change =
  | { readonly _tag: "Set"; readonly edit: RowEdit.Edit }
  | { readonly _tag: "Remove" }

const isAboutValue = (state: string | undefined) => state?.startsWith("22") === true || state?.startsWith("23") === true

export const fromSqlError = (service: string | undefined) => (error: SqlError) => {
  const detail = detailOf(error)
  const about = { service, cause: error }
  if (isMissingTable(error)) {
    return new ConfigChangeError({ ...about, kind: "MissingTable", message: `${detail}: run the migrations` })
  }
  return isAboutValue(sqlStateOf(error))
    ? new ConfigChangeError({ ...about, kind: "BadValue", message: `the table cannot hold that: ${detail}` })
    : new ConfigChangeError({ ...about, kind: "Database", message: `the database refused: ${detail}` })
}

const silent = (service: string | undefined) => () =>
  Effect.fail(new ConfigChangeError({ kind: "Database", service, message: "the database does not answer in time" }))

/** Asks with a limit in time. */
export const asking = (service: string | undefined) => <A>(effect: Effect.Effect<A, SqlError | ConfigChangeError>) =>
  effect.pipe(
    Effect.catchTag("SqlError", (error) => Effect.fail(fromSqlError(service)(error))),
    bounded("15 seconds"),
    Effect.flatMap(Option.match({ onNone: silent(service), onSome: (value) => Effect.succeed(value) }))
  )

export const checkService = (service: string) =>
  ReadConfig.isUnstorable(service) || service.trim() === ""
    ? Effect.fail(
      new ConfigChangeError({
        kind: "BadService",
        service,
        message: `no row can be called ${ConfigIssue.render(service)}`
      })
    )
    : Effect.void

/** What the history says of the changes of this transaction, and how long they wait for the locks of others. */
export const sign = (sql: PgClient.PgClient, { actor, reason }: ChangeOptions) =>
  sql`
    SELECT
      set_config('weft.actor', ${storable(actor ?? "")}, true), set_config('weft.reason', ${
    storable(reason ?? "")
  }, true),
      set_config('lock_timeout', '10000', true)`

/** Writes columns of the row with that key, which is made where it is not there. The values travel as JSON. */
export const upsert = (
  sql: PgClient.PgClient,
  table: "pipeline_consumer_configs" | "consumer_workload_profiles",
  key: "service_name" | "name",
  name: string,
  edit: RowEdit.Edit
) => {
  const columns = Object.keys(edit)
  const list = (item: (column: string) => Fragment): Fragment =>
    columns.reduce<Fragment>((all, column) => sql`${all}, ${item(column)}`, sql``)
  return sql`
    INSERT INTO ${sql(table)} (${sql(key)}${list((column) => sql`${sql(column)}`)})
    SELECT ${name}${list((column) => sql`row.${sql(column)}`)}
    FROM jsonb_populate_record(NULL::${sql(table)}, ${sql.json(edit)}) AS row
    ON CONFLICT (${sql(key)}) DO UPDATE SET ${sql(key)} = EXCLUDED.${sql(key)}${
    list((column) => sql`${sql(column)} = EXCLUDED.${sql(column)}`)
  }`
}

const membersOf = (sql: PgClient.PgClient, service: string) =>
  readMembers(sql, service).pipe(Effect.orElseSucceed((): ReadonlyArray<AppliedConfigs.AppliedMember> => []))

const refusal = (service: string, issues: ReadonlyArray<ConfigIssue.ConfigIssue>) =>
  new ConfigChangeError({
    kind: "Refused",
    service,
    issues,
    message: `nothing was written for ${ConfigIssue.render(service)}: ${issues.map(ConfigIssue.message).join("; ")}`
  })

/** Within a transaction: locks the row, asks what it is to become, tells what comes of it, and writes. */
export const changeRow = Effect.fnUntraced(
  function*(
    sql: PgClient.PgClient,
    service: string,
    decide: (before: ReadConfig.Found) => Effect.Effect<Change, ConfigChangeError | SqlError>,
    members: ReadonlyArray<AppliedConfigs.AppliedMember>,
    options: ChangeOptions
  ): Effect.fn.Return<Outcome, ConfigChangeError | SqlError> {
    yield* sql`SELECT 1 AS locked FROM pipeline_consumer_configs WHERE service_name = ${service} FOR UPDATE`
    const profile = options.profile === undefined ? [] : [storable(options.profile.name)]
    const before = yield* ReadConfig.readAll(sql, service, profile)
    const change = yield* decide(before)
    const edit = change._tag === "Set" ? change.edit : {}
    const named = edit["workload_profile"]
    // The table's profile of the name that the row is to have.
    const { table } = typeof named === "string"
      ? yield* ReadConfig.readAll(sql, service, [...profile, named])
      : before
    const resolve = (columns: ReadConfig.Found["columns"]) =>
      Resolution.resolve({
        service,
        profile: options.profile,
        row: ReadConfig.toRow(service, { ...before, table, columns })
      })
    const old = resolve(before.columns)
    const isVain = change._tag === "Remove" ? before.columns === null : RowEdit.isVain(edit, before.columns)
    const asGiven = change._tag === "Remove" || isVain && before.columns === null
      ? null
      : { ...before.columns, service_name: service, ...edit }
    const next = resolve(asGiven)
    const refused = RowEdit.refusedBy(edit, old, next)
    if (refused.length > 0 && options.force !== true && options.dryRun !== true) return yield* refusal(service, refused)

    const normalized = RowEdit.normalized(edit, next)
    const isWritten = options.dryRun !== true
      && (change._tag === "Remove" ? before.columns !== null : !RowEdit.isVain(normalized, before.columns))
    if (isWritten && change._tag === "Remove") {
      yield* sql`DELETE FROM pipeline_consumer_configs WHERE service_name = ${service}`
    } else if (isWritten) {
      yield* upsert(sql, "pipeline_consumer_configs", "service_name", service, normalized)
    }
    const after = isWritten
      ? yield* ReadConfig.readAll(sql, service, profile)
      : { ...before, columns: asGiven === null ? null : { ...asGiven, ...normalized } }
    const resolved = resolve(after.columns)
    return {
      service,
      before: before.columns ?? undefined,
      after: after.columns ?? undefined,
      resolved: { ...resolved, revision: after.revision },
      plan: ReloadPlan.make(old, resolved),
      members: members.flatMap(({ applied, group, lastSeen, member }): ReadonlyArray<MemberOutcome> =>
        Option.match(AppliedConfig.planFor(applied, service, ReadConfig.toRow(service, { ...after, table })), {
          onNone: () => [],
          onSome: (plan) => [{ member, group, lastSeen, plan }]
        })
      ),
      refused,
      isWritten,
      revision: after.revision
    }
  }
)

/** {@link changeRow} for several services at once: all of them or none. */
export const changeRows = (
  sql: PgClient.PgClient,
  changes: ReadonlyArray<{
    readonly service: string
    readonly decide: (before: ReadConfig.Found) => Effect.Effect<Change, ConfigChangeError | SqlError>
  }>,
  options: ChangeOptions
): Effect.Effect<ReadonlyArray<Outcome>, ConfigChangeError> =>
  Effect.gen(function*() {
    yield* Effect.forEach(changes, ({ service }) => checkService(service), { discard: true })
    // In the order of their names, so that two changes of several rows do not wait for each other.
    const ordered = changes.toSorted((a, b) => a.service < b.service ? -1 : 1)
    // Before the transaction, which a table that is missing would end.
    const members = new Map(
      yield* Effect.forEach(ordered, ({ service }) =>
        Effect.map(membersOf(sql, service), (found) => [service, found] as const))
    )
    const outcomes = yield* sql.withTransaction(Effect.andThen(
      sign(sql, options),
      Effect.forEach(ordered, ({ decide, service }) =>
        changeRow(sql, service, decide, members.get(service) ?? [], options))
    ))
    return changes.map(({ service }) =>
      outcomes.find((outcome) =>
        outcome.service === service
      )!
    )
  }).pipe(asking(changes.length === 1 ? changes[0]!.service : undefined))
