/**
 * What is kept of a service's row so that it outlives the process, as text. Pure.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as ConfigRow from "../ConfigRow.ts"
import * as Setting from "../Setting.ts"

/** Whose row it is: of a service, in one of the databases that processes of this machine may use. */
export interface SavedKey {
  readonly store: string
  readonly service: string
}

export interface SavedRow {
  readonly columns: ConfigRow.Columns
  readonly table?: ConfigRow.ProfileTable | undefined
  readonly revision?: number | undefined
  /** In milliseconds since 1970. */
  readonly savedAt: number
}

const kept = (columns: ConfigRow.Columns): ConfigRow.Columns =>
  Object.fromEntries(
    Object.entries(columns).flatMap(([column, value]) => {
      if (Setting.fromSql(column) === undefined && column !== "workload_profile") return []
      if (typeof value === "bigint") return [[column, String(value)]]
      return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
        ? [[column, value]]
        : []
    })
  )

/** Settings and profile only: what the database said of them, bad values included, as they resolve the same again. */
export const fromRow = (row: ConfigRow.RowResult, savedAt: number): SavedRow => ({
  columns: row._tag === "NoRow" ? {} : kept(row.columns),
  ...(row.table !== undefined && {
    table: {
      ...(row.table.rule !== undefined && { rule: row.table.rule }),
      ...(row.table.profiles !== undefined && {
        profiles: Object.fromEntries(Object.entries(row.table.profiles).map(([name, values]) => [name, kept(values)]))
      })
    }
  }),
  ...(row.revision !== undefined && { revision: row.revision }),
  savedAt
})

/** Whether two say the same of a service, whenever they were saved. */
export const same = (self: SavedRow, that: SavedRow): boolean =>
  JSON.stringify({ ...self, savedAt: 0 }) === JSON.stringify({ ...that, savedAt: 0 })

const Columns = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]))

const Stored = Schema.fromJsonString(Schema.Struct({
  format: Schema.Literal(1),
  store: Schema.String,
  service: Schema.String,
  saved: Schema.Struct({
    columns: Columns,
    table: Schema.optional(Schema.Struct({
      rule: Schema.optional(Schema.Struct({ pattern: Schema.String, profile: Schema.String })),
      profiles: Schema.optional(Schema.Record(Schema.String, Columns))
    })),
    revision: Schema.optional(Schema.Finite),
    savedAt: Schema.Finite
  })
}))

const decode = Schema.decodeUnknownOption(Stored)

/** The first line is the digest of the rest, by which a text that was cut short or altered is known. */
export const encode = (key: SavedKey, saved: SavedRow, digest: (text: string) => string): string => {
  const body = `${JSON.stringify({ format: 1, ...key, saved }, undefined, 2)}\n`
  return `${digest(body)}\n${body}`
}

/** The row, or why there is none in this text. */
export const decodeFor = (
  key: SavedKey,
  text: string,
  digest: (text: string) => string
): { readonly saved: SavedRow } | { readonly fault: string } => {
  const end = text.indexOf("\n")
  const body = text.slice(end + 1)
  if (end < 0 || text.slice(0, end) !== digest(body)) return { fault: "it is damaged" }
  const stored = decode(body)
  if (Option.isNone(stored)) return { fault: "another version has written it" }
  const { saved, service, store } = stored.value
  return store === key.store && service === key.service ? { saved } : { fault: "it is of another service" }
}
