/**
 * All that configurations are made of, as the database has it: rows, rules, profiles and revisions.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import type * as ConfigRow from "@weft/config/ConfigRow"
import * as Effect from "effect/Effect"

/** No row can be called that: the database has no place for it, or would make it another name. */
export const isUnstorable = (text: string) => text.includes("\u0000") || !text.isWellFormed()

export interface Found {
  readonly columns: ConfigRow.Columns | null
  readonly revision?: number | undefined
  readonly table?: ConfigRow.ProfileTable | undefined
}

interface Answer {
  readonly columns: ConfigRow.Columns | null
  readonly revision: number | null
  readonly rule: { readonly pattern: string; readonly profile: string } | null
  readonly profiles: { readonly [name: string]: ConfigRow.Columns } | null
}

const foundIn = ({ columns, profiles, revision, rule }: Answer): Found => ({
  columns,
  ...(revision !== null && { revision }),
  table: { rule: rule ?? undefined, profiles: profiles ?? undefined }
})

/** What the resolver takes. */
export const toRow = (service: string, { columns, ...found }: Found): ConfigRow.RowResult =>
  columns === null
    ? { _tag: "NoRow", reason: { _tag: "MissingRow", service }, ...found }
    : { _tag: "Row", columns, ...found }

/**
 * A service's row, the rule that its name matches, its revision, and the profiles that the row or the rule name, or
 * `profiles` does, in one statement. As JSON, a row can be read whatever columns it has and whatever their types; nor
 * does a cached plan break when a column is added.
 */
export const readAll = (client: PgClient.PgClient, service: string, profiles: ReadonlyArray<string>) =>
  client<Answer>`
    WITH config AS MATERIALIZED (
      SELECT to_jsonb(row) AS columns FROM pipeline_consumer_configs AS row WHERE row.service_name = ${service}
    ), rule AS MATERIALIZED (
      SELECT pattern, profile FROM consumer_profile_rules WHERE ${service} LIKE pattern
      ORDER BY priority DESC, length(pattern) DESC, pattern LIMIT 1
    )
    SELECT
      (SELECT columns FROM config) AS columns,
      (SELECT to_jsonb(rule) FROM rule) AS rule,
      (
        SELECT jsonb_object_agg(row.name, to_jsonb(row)) FROM consumer_workload_profiles AS row
        WHERE row.name IN (
          SELECT columns->>'workload_profile' FROM config UNION ALL SELECT profile FROM rule
          UNION ALL SELECT unnest(${profiles}::text[]) UNION ALL VALUES ('default')
        )
      ) AS profiles,
      (SELECT max(revision) FROM consumer_config_history WHERE service_name = ${service}) AS revision
  `.pipe(Effect.map(([answer]): Found => answer === undefined ? { columns: null } : foundIn(answer)))

/** For a database that has the table of the settings, and none of the others yet. */
export const readRow = (client: PgClient.PgClient, service: string) =>
  client<{ columns: ConfigRow.Columns }>`
    SELECT to_jsonb(row) AS columns FROM pipeline_consumer_configs AS row WHERE row.service_name = ${service}
  `.pipe(Effect.map(([row]): Found => ({ columns: row?.columns ?? null })))

/** Every row with its rule and revision, by name. The profiles are the same for all: see {@link readProfiles}. */
export const readEveryRow = (client: PgClient.PgClient) =>
  client<Omit<Answer, "profiles"> & { readonly service: string; readonly columns: ConfigRow.Columns }>`
    SELECT
      row.service_name AS service, to_jsonb(row) AS columns,
      (
        SELECT jsonb_build_object('pattern', pattern, 'profile', profile) FROM consumer_profile_rules
        WHERE row.service_name LIKE pattern ORDER BY priority DESC, length(pattern) DESC, pattern LIMIT 1
      ) AS rule,
      (SELECT max(revision) FROM consumer_config_history AS history WHERE history.service_name = row.service_name)
        AS revision
    FROM pipeline_consumer_configs AS row ORDER BY row.service_name`

export const readProfiles = (client: PgClient.PgClient) =>
  Effect.map(
    client<{ readonly name: string; readonly columns: ConfigRow.Columns }>`
      SELECT name, to_jsonb(row) AS columns FROM consumer_workload_profiles AS row ORDER BY name`,
    (rows) => Object.fromEntries(rows.map(({ columns, name }) => [name, columns]))
  )
