/**
 * Which workload profile holds for a service, and its values. Pure.
 */
import type * as ConfigIssue from "../ConfigIssue.ts"
import type { Columns, ProfileTable } from "../ConfigRow.ts"
import * as Setting from "../Setting.ts"
import * as WorkloadProfile from "../WorkloadProfile.ts"

export interface Choice {
  readonly name: string
  readonly source: WorkloadProfile.NamedBy
  /** Whether the values are those of the table of profiles. */
  readonly isFromTable: boolean
  readonly values: { readonly [K in Setting.SettingKey]?: unknown }
  /** What a value that the table's profile has wrong gives way to. */
  readonly fallback: WorkloadProfile.Values
  readonly issues: ReadonlyArray<ConfigIssue.UnknownProfile>
}

interface Wish {
  readonly name: unknown
  readonly source: WorkloadProfile.NamedBy
  readonly pattern?: string
}

export const choose = (
  service: string,
  columns: Columns,
  table: ProfileTable | undefined,
  code: WorkloadProfile.WorkloadProfile | undefined
): Choice => {
  const wishes: ReadonlyArray<Wish> = [
    { name: columns["workload_profile"], source: "row" },
    { name: table?.rule?.profile, source: "rule", ...table?.rule },
    { name: code?.name, source: "code" },
    { name: "default", source: "default" }
  ]
  const find = (name: string) => {
    const builtIn = WorkloadProfile.get(name)
    const row = table?.profiles !== undefined && Object.hasOwn(table.profiles, name) ? table.profiles[name] : undefined
    if (row !== undefined) {
      const values = Object.fromEntries(Setting.keys.map((key) => [key, row[Setting.settings[key].sql]]))
      return { isFromTable: true, values, fallback: builtIn?.values ?? {} }
    }
    const known = code?.name === name ? code : builtIn
    return known === undefined ? undefined : { isFromTable: false, values: known.values, fallback: {} }
  }

  const unknown: Array<Wish> = []
  for (const wish of wishes) {
    const { name } = wish
    if (name === undefined || name === null) continue
    const found = typeof name === "string" ? find(name) : undefined
    if (typeof name !== "string" || found === undefined) {
      unknown.push(wish)
      continue
    }
    return {
      ...found,
      name,
      source: wish.source,
      issues: unknown.map((missed) => ({
        _tag: "UnknownProfile",
        service,
        profile: missed.name,
        namedBy: missed.source,
        ...(missed.pattern !== undefined && { pattern: missed.pattern }),
        used: name
      }))
    }
  }
  return { name: "default", source: "default", isFromTable: false, values: {}, fallback: {}, issues: [] }
}
