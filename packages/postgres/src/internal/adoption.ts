/**
 * How the tables of Loom v2, where they are there already, become those of the migrations 0038 and 0041: what to run, or
 * what differs from all that is understood. Pure.
 *
 * The table of configurations is altered in place, as its rows, rights and dependent views are in use. The tables of
 * metrics have had two forms under one name, so they are set aside under another one and their rows copied; whatever else
 * they hold stays there, and so do views that stand on them.
 */
import * as Setting from "@weft/config/Setting"
import type { Column, Relation } from "./schemaSnapshot.ts"

export interface Adoption {
  /** To be run before the file of that number, and after it. */
  readonly before: ReadonlyArray<string>
  readonly after: ReadonlyArray<string>
  /** The tables that the file must not create, as they are there. */
  readonly kept: ReadonlyArray<string>
  /** What is done, a line each, for people. */
  readonly told: ReadonlyArray<string>
}

export type Decision =
  | { readonly _tag: "Adopt"; readonly adoption: Adoption }
  | { readonly _tag: "NotUnderstood"; readonly differences: ReadonlyArray<string> }

const families = {
  text: ["text", "varchar"],
  number: ["int2", "int4", "int8", "numeric", "float4", "float8"],
  /** Wide enough for milliseconds and bytes. */
  whole: ["int4", "int8", "numeric"],
  flag: ["bool"],
  time: ["timestamptz", "timestamp"]
} as const

type Family = keyof typeof families

const isOf = (family: Family, column: Column) => (families[family] as ReadonlyArray<string>).includes(column.type)
const wanted = (family: Family) => families[family].slice(0, 3).join(" or ")

const quoted = (name: string) => `"${name.replaceAll("\"", "\"\"")}"`
const qualified = ({ name, schema }: Pick<Relation, "name" | "schema">) => `${quoted(schema)}.${quoted(name)}`

export const configsTable = "pipeline_consumer_configs"

interface Expected {
  readonly family: Family
  readonly type: string
  readonly isSetting: boolean
}

const settingColumns: ReadonlyMap<string, Expected> = new Map(
  Setting.keys.map((key): readonly [string, Expected] => {
    const { sql, type } = Setting.get(key)
    switch (type) {
      case "integer":
        return [sql, { family: "whole", type: "integer", isSetting: true }]
      case "flag":
        return [sql, { family: "flag", type: "boolean", isSetting: true }]
      default:
        return [sql, { family: "text", type: "text", isSetting: true }]
    }
  })
)

const configColumns: ReadonlyMap<string, Expected> = new Map([
  ...settingColumns,
  ["workload_profile", { family: "text", type: "text", isSetting: true }],
  ["description", { family: "text", type: "text", isSetting: true }],
  ["created_at", { family: "time", type: "timestamptz", isSetting: false }],
  ["updated_at", { family: "time", type: "timestamptz", isSetting: false }]
])

const isTable = ({ kind }: Relation) => kind === "r" || kind === "p"

const differingConfigs = (table: Relation): ReadonlyArray<string> => {
  if (!isTable(table)) return [`${table.name} is not a table`]
  const byName = new Map(table.columns.map((column) => [column.name, column]))
  const differences: Array<string> = []
  const service = byName.get("service_name")
  if (service === undefined) differences.push(`${table.name} has no column service_name`)
  else if (!isOf("text", service)) differences.push(`${table.name}.service_name is ${service.type}, not text`)
  const isUnique = table.constraints.some(({ columns, kind }) =>
    (kind === "p" || kind === "u") && columns.length === 1 && columns[0] === "service_name"
  )
  if (service !== undefined && !isUnique) {
    differences.push(`${table.name}.service_name is neither its primary key nor unique`)
  }
  for (const [name, { family }] of configColumns) {
    const column = byName.get(name)
    if (column === undefined) continue
    if (!isOf(family, column)) differences.push(`${table.name}.${name} is ${column.type}, not ${wanted(family)}`)
    if (column.isComputed) differences.push(`${table.name}.${name} is computed and cannot be set`)
  }
  for (const { fillsItself, name, notNull } of table.columns) {
    if (name === "service_name" || configColumns.has(name) || !notNull || fillsItself) continue
    differences.push(`${table.name}.${name} is NOT NULL, and nothing here would fill it`)
  }
  for (const { kind, name } of table.constraints) {
    if (kind === "x") differences.push(`${table.name} has the exclusion constraint ${name}`)
  }
  return differences
}

/** What became of the table of configurations: in place, as every row stays what it is. */
export const adoptConfigs = (table: Relation): Decision => {
  const differences = differingConfigs(table)
  if (differences.length > 0) return { _tag: "NotUnderstood", differences }
  const alter = `ALTER TABLE ${qualified(table)}`
  const statements: Array<string> = []
  const told: Array<string> = []
  const concerns = (columns: ReadonlyArray<string>) =>
    columns.some((column) => column === "service_name" || configColumns.has(column))
  for (const { columns, kind, name } of table.constraints) {
    if (kind !== "f" && kind !== "c" || !concerns(columns)) continue
    statements.push(`${alter} DROP CONSTRAINT ${quoted(name)}`)
    told.push(`${table.name}: ${kind === "f" ? "the foreign key" : "the check"} ${name} is dropped`)
  }
  for (const { fillsItself, name, notNull } of table.columns) {
    if (configColumns.get(name)?.isSetting !== true) continue
    if (fillsItself) statements.push(`${alter} ALTER COLUMN ${quoted(name)} DROP DEFAULT`)
    if (notNull) statements.push(`${alter} ALTER COLUMN ${quoted(name)} DROP NOT NULL`)
    if (fillsItself || notNull) told.push(`${table.name}: ${name} may be left out, and is NULL then`)
  }
  const there = new Set(table.columns.map(({ name }) => name))
  for (const [name, { isSetting, type }] of configColumns) {
    if (name === "workload_profile") continue
    if (!there.has(name)) {
      statements.push(`${alter} ADD COLUMN ${quoted(name)} ${type}${isSetting ? "" : " NOT NULL DEFAULT now()"}`)
      told.push(`${table.name}: ${name} is added`)
    } else if (!isSetting) {
      statements.push(`${alter} ALTER COLUMN ${quoted(name)} SET DEFAULT now()`)
    }
  }
  const notBlank = `${configsTable}_service_name_not_blank`
  if (!table.constraints.some(({ name }) => name === notBlank)) {
    statements.push(`${alter} ADD CONSTRAINT ${notBlank} CHECK (btrim(service_name) <> '') NOT VALID`)
  }
  return { _tag: "Adopt", adoption: { before: statements, after: [], kept: [configsTable], told } }
}

interface Source {
  readonly column: string
  readonly family: Family
  /** The value, of the row that is called `old`; default: the column. */
  readonly value?: string
}

interface Target {
  readonly column: string
  readonly type: string
  readonly isNeeded?: boolean
  /** Where its value is found; the first one that is there counts. */
  readonly from: ReadonlyArray<Source>
}

const same = (column: string, type: string, family: Family, isNeeded = false): Target => ({
  column,
  type,
  isNeeded,
  from: [{ column, family }]
})

const lagTargets: ReadonlyArray<Target> = [
  {
    column: "service_name",
    type: "text",
    isNeeded: true,
    from: [
      { column: "service_name", family: "text" },
      {
        column: "consumer_group_id",
        family: "text",
        value: `coalesce((SELECT min(service_name) FROM ${configsTable} AS config `
          + "WHERE config.consumer_group_id = old.consumer_group_id), old.consumer_group_id)"
      }
    ]
  },
  {
    column: "topic",
    type: "text",
    isNeeded: true,
    from: [{ column: "topic", family: "text" }, { column: "topic_name", family: "text" }]
  },
  {
    column: "partition",
    type: "integer",
    isNeeded: true,
    from: [{ column: "partition", family: "number" }, { column: "partition_id", family: "number" }]
  },
  same("lag", "bigint", "number", true),
  same("timestamp", "timestamptz", "time", true),
  {
    column: "consumer_offset",
    type: "bigint",
    from: [{ column: "consumer_offset", family: "number" }, { column: "current_offset", family: "number" }]
  },
  {
    column: "end_offset",
    type: "bigint",
    from: [{ column: "end_offset", family: "number" }, { column: "log_end_offset", family: "number" }]
  },
  same("consumer_group_id", "text", "text"),
  same("member", "text", "text"),
  same("lag_seconds", "double precision", "number")
]

const metricsTargets: ReadonlyArray<Target> = [
  same("service_name", "text", "text", true),
  same("messages_processed", "bigint", "number", true),
  same("timestamp", "timestamptz", "time", true),
  {
    column: "processing_time_ms",
    type: "double precision",
    from: [
      { column: "processing_time_ms", family: "number" },
      {
        // Of a batch, where ours is of a record.
        column: "processing_duration_ms",
        family: "number",
        value: "old.processing_duration_ms::double precision / nullif(old.messages_processed, 0)"
      }
    ]
  },
  same("messages_per_second", "double precision", "number"),
  same("memory_usage_mb", "double precision", "number"),
  same("topic", "text", "text"),
  same("member", "text", "text"),
  same("interval_ms", "double precision", "number"),
  same("processing_time_p50_ms", "double precision", "number"),
  same("processing_time_p95_ms", "double precision", "number"),
  same("processing_time_p99_ms", "double precision", "number"),
  same("bytes", "bigint", "number"),
  same("retries", "bigint", "number"),
  {
    column: "failures",
    type: "bigint",
    from: [{ column: "failures", family: "number" }, { column: "messages_failed", family: "number" }]
  },
  same("skipped", "bigint", "number"),
  same("dead_letters", "bigint", "number")
]

const metricsTables: ReadonlyMap<string, ReadonlyArray<Target>> = new Map([
  ["consumer_lag_history", lagTargets],
  ["consumer_processing_metrics", metricsTargets]
])

const metricsViews: ReadonlyArray<string> = [
  "v_current_consumer_lag",
  "v_consumer_lag_alerts",
  "v_consumer_config_monitoring"
]

/** What stands in the way of 0041, where it is there. */
export const metricsNames: ReadonlyArray<string> = [...metricsTables.keys(), ...metricsViews]

/** The name under which what was there is kept. */
export const aside = (name: string) => `${name}_before_weft`

const found = (relation: Relation, { from }: Target) =>
  from.flatMap((source) => {
    const column = relation.columns.find(({ name }) => name === source.column)
    return column === undefined ? [] : [{ source, column }]
  })[0]

const differingMetrics = (relation: Relation, targets: ReadonlyArray<Target>): ReadonlyArray<string> => {
  if (!isTable(relation)) return [`${relation.name} is not a table`]
  return targets.flatMap((target) => {
    const match = found(relation, target)
    if (match === undefined) {
      const names = target.from.map(({ column }) => column).join(" or ")
      return target.isNeeded === true ? [`${relation.name} has no column ${names}`] : []
    }
    const { column, source } = match
    return isOf(source.family, column)
      ? []
      : [`${relation.name}.${column.name} is ${column.type}, not ${wanted(source.family)}`]
  })
}

/** A time without a zone is taken for one of UTC, which is what servers write. */
const valueOf = ({ column, source }: { readonly column: Column; readonly source: Source }, { type }: Target) => {
  const value = source.value ?? `old.${quoted(column.name)}`
  return column.type === "timestamp" ? `${value} AT TIME ZONE 'UTC'` : `(${value})::${type}`
}

const copy = (relation: Relation, targets: ReadonlyArray<Target>): string => {
  const columns = targets.flatMap((target) => {
    const match = found(relation, target)
    return match === undefined ? [] : [{ target, value: valueOf(match, target) }]
  })
  const needed = columns.filter(({ target }) => target.isNeeded === true).map(({ value }) => `${value} IS NOT NULL`)
  return `INSERT INTO ${qualified(relation)} (${columns.map(({ target }) => quoted(target.column)).join(", ")}) `
    + `SELECT ${columns.map(({ value }) => value).join(", ")} `
    + `FROM ${qualified({ ...relation, name: aside(relation.name) })} AS old WHERE ${needed.join(" AND ")}`
}

/** Whoever could use what was there can use what takes its place. */
const rights = (relation: Relation): ReadonlyArray<string> => [
  `ALTER TABLE ${qualified(relation)} OWNER TO ${quoted(relation.owner)}`,
  ...relation.grants.map(({ grantee, isGrantable, privilege }) =>
    `GRANT ${privilege} ON ${qualified(relation)} TO ${grantee}${isGrantable ? " WITH GRANT OPTION" : ""}`
  )
]

const isView = ({ kind }: Relation) => kind === "v" || kind === "m"

/**
 * What became of the tables and views of metrics; `taken` are the names that exist already among those under which they
 * would be set aside.
 */
export const adoptMetrics = (relations: ReadonlyArray<Relation>, taken: ReadonlyArray<string>): Decision => {
  const differences = [
    ...taken.map((name) => `${name} is there already: what would be set aside under this name has no place`),
    ...relations.flatMap((relation) => {
      const targets = metricsTables.get(relation.name)
      if (targets !== undefined) return differingMetrics(relation, targets)
      return isView(relation) ? [] : [`${relation.name} is not a view`]
    })
  ]
  if (differences.length > 0) return { _tag: "NotUnderstood", differences }
  const tables = relations.flatMap((relation) => {
    const targets = metricsTables.get(relation.name)
    return targets === undefined ? [] : [{ relation, targets }]
  })
  return {
    _tag: "Adopt",
    adoption: {
      before: relations.map((relation) => {
        const kind = relation.kind === "v" ? "VIEW" : relation.kind === "m" ? "MATERIALIZED VIEW" : "TABLE"
        return `ALTER ${kind} ${qualified(relation)} RENAME TO ${quoted(aside(relation.name))}`
      }),
      after: [
        ...tables.map(({ relation, targets }) => copy(relation, targets)),
        ...relations.flatMap(rights)
      ],
      kept: [],
      told: [
        ...relations.map(({ name }) => `${name} is kept as ${aside(name)}, and made anew`),
        ...tables.map(({ relation: { name } }) => `the rows of ${aside(name)} are copied to ${name}`)
      ]
    }
  }
}
