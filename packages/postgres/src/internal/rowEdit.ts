/**
 * What an edit of a row says: which columns by which names, with which values, and whether they would hold. Pure.
 */
import * as ConfigIssue from "@weft/config/ConfigIssue"
import type * as ConfigRow from "@weft/config/ConfigRow"
import type * as Resolution from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import { storable } from "./storable.ts"

type Plain = string | number | boolean | null

/** Columns by SQL name; NULL leaves one out. */
export type Edit = { readonly [column: string]: Plain }

export type Parsed =
  | { readonly _tag: "Edit"; readonly edit: Edit }
  | { readonly _tag: "UnknownSetting"; readonly message: string }
  | { readonly _tag: "BadValue"; readonly message: string }

const others: ReadonlyArray<string> = ["workload_profile", "description"]

/** The columns that people set, settings first. */
export const columns: ReadonlyArray<string> = [...Setting.keys.map((key) => Setting.settings[key].sql), ...others]

/** Those of a profile, which is of no single group. */
export const profileColumns: ReadonlyArray<string> = columns.filter(
  (column) => column !== "consumer_group_id" && column !== "workload_profile"
)

const columnOf = (name: string): string =>
  Object.hasOwn(Setting.settings, name) ? Setting.settings[name as Setting.SettingKey].sql : name

/** How many letters must be put in, left out or replaced to make one word of the other. */
const distance = (a: string, b: string): number => {
  let before = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      row.push(Math.min(before[j]! + 1, row[j - 1]! + 1, before[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    before = row
  }
  return before[b.length]!
}

const nearest = (name: string, known: ReadonlyArray<string>): string | undefined => {
  if (name.length > 60) return undefined
  const [best] = known
    .map((column) => ({ column, far: distance(name.toLowerCase(), column) }))
    .toSorted((a, b) => a.far - b.far)
  return best !== undefined && best.far <= Math.max(2, name.length / 4) ? best.column : undefined
}

const plain = (value: unknown): Plain | undefined => {
  switch (typeof value) {
    case "string":
      return storable(value)
    case "boolean":
      return value
    case "number":
      return Number.isFinite(value) ? value : String(value)
    case "bigint":
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
    default:
      return value === null || value === undefined ? null : undefined
  }
}

/** Names may be those of the table or those of the code. */
export const parse = (values: { readonly [name: string]: unknown }, known: ReadonlyArray<string> = columns): Parsed => {
  const edit: { [column: string]: Plain } = {}
  for (const [name, raw] of Object.entries(values)) {
    const column = columnOf(name)
    if (!known.includes(column)) {
      const meant = nearest(name, known)
      return {
        _tag: "UnknownSetting",
        message: `${ConfigIssue.render(name)} is no setting`
          + (meant === undefined ? `: there are ${known.join(", ")}` : `: ${meant} is meant?`)
      }
    }
    const value = plain(raw)
    if (value === undefined) {
      return { _tag: "BadValue", message: `${column} ${ConfigIssue.render(raw)} is no text, number, true or false` }
    }
    edit[column] = value
  }
  return { _tag: "Edit", edit }
}

const isOfRow = (issue: ConfigIssue.ConfigIssue): boolean =>
  "setting" in issue ? issue.source === "row" : issue._tag === "UnknownProfile" && issue.namedBy === "row"

const columnIn = (issue: ConfigIssue.ConfigIssue): string | undefined =>
  "setting" in issue
    ? Setting.settings[issue.setting].sql
    : issue._tag === "UnknownProfile"
    ? "workload_profile"
    : undefined

/** What of the new row falls back: of the columns that were edited, and of others by the edit. */
export const refusedBy = (
  edit: Edit,
  old: Resolution.Resolved,
  next: Resolution.Resolved
): ReadonlyArray<ConfigIssue.ConfigIssue> => {
  const known = new Set(old.issues.map(ConfigIssue.identity))
  return next.issues.filter((issue) =>
    isOfRow(issue) && (Object.hasOwn(edit, columnIn(issue) ?? "") || !known.has(ConfigIssue.identity(issue)))
  )
}

/** Values as the resolver has understood them (500 for "500"); what it refused stays as it was given. */
export const normalized = (edit: Edit, next: Resolution.Resolved): Edit =>
  Object.fromEntries(
    Object.entries(edit).map(([column, value]) => {
      const key = Setting.fromSql(column)
      const origin = key === undefined ? undefined : next.provenance[key]
      return [column, value !== null && origin?.source === "row" ? origin.value : value]
    })
  )

/** Whether the row says so already. */
export const isVain = (edit: Edit, before: ConfigRow.Columns | null): boolean =>
  before === null
    ? Object.values(edit).every((value) => value === null)
    : Object.entries(edit).every(([column, value]) => (before[column] ?? null) === value)

const times: ReadonlySet<string> = new Set(["created_at", "updated_at"])

/** What differs between two versions of a row, by column. */
export const differences = (
  from: ConfigRow.Columns | null,
  to: ConfigRow.Columns | null
): ReadonlyArray<{ readonly column: string; readonly from: unknown; readonly to: unknown }> =>
  [...new Set([...Object.keys(from ?? {}), ...Object.keys(to ?? {})])].flatMap((column) => {
    const [before, after] = [from?.[column] ?? null, to?.[column] ?? null]
    const isSame = JSON.stringify(before) === JSON.stringify(after)
    return isSame || times.has(column) || column === "service_name" ? [] : [{ column, from: before, to: after }]
  })
