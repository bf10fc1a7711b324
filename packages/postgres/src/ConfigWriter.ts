/**
 * Changes configurations in PostgreSQL: each value is checked before it is written, and each change tells what it does
 * to the service and to every member that runs.
 *
 * @since 0.1.0
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as ConfigIssue from "@weft/config/ConfigIssue"
import type * as ConfigRow from "@weft/config/ConfigRow"
import * as Resolution from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ConfigChangeError, type ChangeOptions, type Outcome } from "./ConfigChange.ts"
import * as ReadConfig from "./internal/readConfig.ts"
import * as RowChange from "./internal/rowChange.ts"
import * as RowEdit from "./internal/rowEdit.ts"

/**
 * Values by column, or by the setting's name in code; `null` leaves a setting out. Texts are taken as a command line
 * gives them: `"500"` is 500, `"true"` is true.
 *
 * @category models
 * @since 0.1.0
 */
export type Values = { readonly [name: string]: unknown }

/**
 * A row in the form in which it is exported and imported: what it sets, without times.
 *
 * @category models
 * @since 0.1.0
 */
export interface Row {
  readonly service_name: string
  readonly [column: string]: unknown
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ImportOptions extends ChangeOptions {
  /** What becomes of the columns that a row leaves out: they stay (`merge`, the default), or become NULL (`replace`). */
  readonly mode?: "merge" | "replace" | undefined
}

/**
 * A workload profile as services get it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Profile {
  readonly name: string
  readonly description: string
  /** By SQL name. */
  readonly values: { readonly [column: string]: unknown }
  readonly source: "table" | "built-in"
}

/**
 * A rule that gives a profile to services whose names are LIKE its pattern.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rule {
  readonly pattern: string
  readonly profile: string
  readonly priority: number
  readonly description: string | null
}

type Answer<A> = Effect.Effect<A, ConfigChangeError>

/**
 * Reads and changes configurations. Everything is answered within 15 seconds or fails with a `ConfigChangeError`.
 *
 * @category services
 * @since 0.1.0
 */
export class ConfigWriter extends Context.Service<ConfigWriter, {
  /** The configuration of a service as its row, rules and profiles make it, without the overrides of any environment. */
  readonly get: (service: string, options?: Pick<ChangeOptions, "profile">) => Answer<Resolution.Resolved>
  /** The configurations of all rows, by service. */
  readonly list: Answer<ReadonlyArray<Resolution.Resolved>>
  /** What rows would become with the profiles and rules of the database; writes nothing. */
  readonly check: (rows: ReadonlyArray<Row>) => Answer<ReadonlyArray<Resolution.Resolved>>
  /** Sets columns of a service's row, which is made where there is none. */
  readonly set: (service: string, values: Values, options?: ChangeOptions) => Answer<Outcome>
  /** Leaves columns out from now on. */
  readonly unset: (service: string, names: ReadonlyArray<string>, options?: ChangeOptions) => Answer<Outcome>
  /** Removes the row of a service. */
  readonly remove: (service: string, options?: ChangeOptions) => Answer<Outcome>
  /** The rows of the given services, or of all of them. */
  readonly exportRows: (services?: ReadonlyArray<string>) => Answer<ReadonlyArray<Row>>
  /** Writes rows, all of them or none. */
  readonly importRows: (rows: ReadonlyArray<Row>, options?: ImportOptions) => Answer<ReadonlyArray<Outcome>>
  /** Those of the table, and the built-in ones that it does not have. */
  readonly profiles: Answer<ReadonlyArray<Profile>>
  /** Sets values of a profile, which is made where there is none. */
  readonly setProfile: (
    name: string,
    values: Values,
    options?: Pick<ChangeOptions, "force">
  ) => Answer<ReadonlyArray<Profile>>
  /** Removes a profile from the table; where one of its name is built in, that one holds again. */
  readonly removeProfile: (name: string) => Answer<ReadonlyArray<Profile>>
  /** The rules, in the order in which they hold. */
  readonly rules: Answer<ReadonlyArray<Rule>>
  /** Sets the profile of a pattern of LIKE. Default: priority 0. */
  readonly setRule: (
    rule: Pick<Rule, "pattern" | "profile"> & Partial<Pick<Rule, "priority" | "description">>
  ) => Answer<ReadonlyArray<Rule>>
  readonly removeRule: (pattern: string) => Answer<ReadonlyArray<Rule>>
}>()("@weft/postgres/ConfigWriter") {}

const parse = (
  service: string | undefined,
  values: Values,
  known?: ReadonlyArray<string>
): Effect.Effect<RowEdit.Edit, ConfigChangeError> => {
  const parsed = RowEdit.parse(values, known)
  return parsed._tag === "Edit"
    ? Effect.succeed(parsed.edit)
    : Effect.fail(new ConfigChangeError({ kind: parsed._tag, service, message: parsed.message }))
}

const exported = (columns: ConfigRow.Columns): Row => ({
  service_name: String(columns["service_name"]),
  ...Object.fromEntries(
    RowEdit.columns.flatMap((column) => {
      const value = columns[column]
      return value === null || value === undefined ? [] : [[column, value]]
    })
  )
})

const onlyValues = (columns: ConfigRow.Columns) =>
  Object.fromEntries(
    Setting.keys.flatMap((key) => {
      const value = columns[Setting.settings[key].sql]
      return value === null || value === undefined ? [] : [[Setting.settings[key].sql, value]]
    })
  )

const builtIn = (profile: WorkloadProfile.WorkloadProfile): Profile => ({
  name: profile.name,
  description: profile.description,
  values: Object.fromEntries(
    Object.entries(profile.values).map(([key, value]) => [Setting.settings[key as Setting.SettingKey].sql, value])
  ),
  source: "built-in"
})

/**
 * A writer on the tables of the migrations.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<ConfigWriter, never, PgClient.PgClient> = Layer.effect(
  ConfigWriter,
  Effect.gen(function*() {
    const sql = yield* PgClient.PgClient
    const one = Effect.map((outcomes: ReadonlyArray<Outcome>) => outcomes[0]!)

    const profiles = Effect.map(ReadConfig.readProfiles(sql), (table): ReadonlyArray<Profile> => [
      ...Object.entries(table).map(([name, columns]): Profile => ({
        name,
        description: typeof columns["description"] === "string" ? columns["description"] : "",
        values: onlyValues(columns),
        source: "table"
      })),
      ...Object.values(WorkloadProfile.profiles).filter(({ name }) => !Object.hasOwn(table, name)).map(builtIn)
    ])

    const rules = sql<Rule>`
      SELECT pattern, profile, priority, description FROM consumer_profile_rules
      ORDER BY priority DESC, length(pattern) DESC, pattern`

    const setOne = (service: string, edit: RowEdit.Edit, options: ChangeOptions) =>
      RowChange.changeRows(sql, [{ service, decide: () => Effect.succeed({ _tag: "Set", edit }) }], options).pipe(one)

    /** The row of a file: the service's name and what it sets. */
    const parseRow = Effect.fnUntraced(function*(row: Row) {
      const { service_name: service, ...values } = row
      if (typeof service !== "string") {
        return yield* new ConfigChangeError({ kind: "BadService", message: "a row has no service_name that is a text" })
      }
      yield* RowChange.checkService(service)
      return { service, edit: yield* parse(service, values) }
    })

    const parseRows = Effect.fnUntraced(function*(rows: ReadonlyArray<Row>) {
      const parsed = yield* Effect.forEach(rows, parseRow)
      const names = parsed.map(({ service }) => service)
      const twice = names.find((name, i) => names.indexOf(name) !== i)
      if (twice === undefined) return parsed
      return yield* new ConfigChangeError({
        kind: "BadService",
        service: twice,
        message: `there are two rows of ${ConfigIssue.render(twice)}`
      })
    })

    return ConfigWriter.of({
      get: (service, options) =>
        Effect.gen(function*() {
          yield* RowChange.checkService(service)
          const profile = options?.profile
          const found = yield* ReadConfig.readAll(sql, service, profile === undefined ? [] : [profile.name])
          return Resolution.resolve({ service, profile, row: ReadConfig.toRow(service, found) })
        }).pipe(RowChange.asking(service)),

      list: Effect.gen(function*() {
        const table = yield* ReadConfig.readProfiles(sql)
        const rows = yield* ReadConfig.readEveryRow(sql)
        return rows.map(({ columns, revision, rule, service }) =>
          Resolution.resolve({
            service,
            row: {
              _tag: "Row",
              columns,
              revision: revision ?? undefined,
              table: { profiles: table, rule: rule ?? undefined }
            }
          })
        )
      }).pipe(RowChange.asking(undefined)),

      check: (rows) =>
        Effect.gen(function*() {
          const parsed = yield* parseRows(rows)
          const table = yield* ReadConfig.readProfiles(sql)
          return yield* Effect.forEach(parsed, ({ edit, service }) =>
            Effect.map(ReadConfig.readAll(sql, service, []), (found) =>
              Resolution.resolve({
                service,
                row: { _tag: "Row", columns: edit, table: { profiles: table, rule: found.table?.rule } }
              })))
        }).pipe(RowChange.asking(undefined)),

      set: (service, values, options = {}) =>
        Effect.flatMap(parse(service, values), (edit) => setOne(service, edit, options)),

      unset: (service, names, options = {}) =>
        Effect.flatMap(
          parse(service, Object.fromEntries(names.map((name) => [name, null]))),
          (edit) => setOne(service, edit, options)
        ),

      remove: (service, options = {}) =>
        RowChange.changeRows(sql, [{ service, decide: () => Effect.succeed({ _tag: "Remove" }) }], options).pipe(one),

      exportRows: (services) =>
        Effect.map(
          ReadConfig.readEveryRow(sql),
          (rows) =>
            rows.filter(({ service }) => services === undefined || services.includes(service))
              .map(({ columns }) => exported(columns))
        ).pipe(RowChange.asking(undefined)),

      importRows: (rows, options = {}) =>
        Effect.flatMap(parseRows(rows), (parsed) =>
          RowChange.changeRows(
            sql,
            parsed.map(({ edit, service }) => ({
              service,
              decide: () =>
                Effect.succeed({
                  _tag: "Set",
                  edit: options.mode === "replace"
                    ? { ...Object.fromEntries(RowEdit.columns.map((column) => [column, null])), ...edit }
                    : edit
                })
            })),
            options
          )),

      profiles: RowChange.asking(undefined)(profiles),

      setProfile: (name, values, options = {}) =>
        Effect.gen(function*() {
          yield* RowChange.checkService(name)
          const edit = yield* parse(undefined, values, RowEdit.profileColumns)
          const known = (yield* ReadConfig.readProfiles(sql))[name] ?? {}
          const next = Resolution.resolve({
            service: name,
            row: {
              _tag: "Row",
              columns: { workload_profile: name },
              table: { profiles: { [name]: { ...known, ...edit } } }
            }
          })
          const refused = next.issues.filter((issue) => "setting" in issue)
          if (refused.length > 0 && options.force !== true) {
            return yield* new ConfigChangeError({
              kind: "Refused",
              issues: refused,
              message: `nothing was written of the profile ${ConfigIssue.render(name)}: `
                + refused.map(ConfigIssue.message).join("; ")
            })
          }
          const asUnderstood = Object.fromEntries(
            Object.entries(edit).map(([column, value]) => {
              const key = Setting.fromSql(column)
              const origin = key === undefined ? undefined : next.provenance[key]
              return [column, value !== null && origin?.source === "profile" && !origin.refused ? origin.value : value]
            })
          )
          yield* RowChange.upsert(sql, "consumer_workload_profiles", "name", name, asUnderstood)
          return yield* profiles
        }).pipe(RowChange.asking(undefined)),

      removeProfile: (name) =>
        Effect.gen(function*() {
          yield* RowChange.checkService(name)
          yield* sql`DELETE FROM consumer_workload_profiles WHERE name = ${name}`
          return yield* profiles
        }).pipe(RowChange.asking(undefined)),

      rules: RowChange.asking(undefined)(rules),

      setRule: ({ description, pattern, priority, profile }) =>
        Effect.gen(function*() {
          yield* RowChange.checkService(pattern)
          yield* RowChange.checkService(profile)
          yield* sql`
            INSERT INTO consumer_profile_rules (pattern, profile, priority, description)
            VALUES (${pattern}, ${profile}, ${priority ?? 0}, ${description ?? null})
            ON CONFLICT (pattern) DO UPDATE SET
              profile = EXCLUDED.profile, priority = EXCLUDED.priority, description = EXCLUDED.description`
          return yield* rules
        }).pipe(RowChange.asking(undefined)),

      removeRule: (pattern) =>
        Effect.gen(function*() {
          yield* RowChange.checkService(pattern)
          yield* sql`DELETE FROM consumer_profile_rules WHERE pattern = ${pattern}`
          return yield* rules
        }).pipe(RowChange.asking(undefined))
    })
  })
)
