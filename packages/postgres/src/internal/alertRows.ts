/** Alerts as rows of `consumer_alerts`, and back. */
import type * as PgClient from "@effect/sql-pg/PgClient"
import type { Alert, ClosedBecause, Severity, StoredAlert } from "@weft/pipeline/Alert"
import type { Looked } from "@weft/pipeline/AlertTracker"
import { storable, storableJson } from "./storable.ts"

interface Row {
  readonly id: string
  readonly service: string
  readonly kind: string
  readonly topic: string | null
  readonly partition: number | null
  readonly severity: Severity
  readonly message: string
  readonly evidence: Readonly<Record<string, unknown>>
  readonly openedAt: number
  readonly closedAt: number | null
  readonly closedBecause: string | null
  readonly acknowledgedAt: number | null
  readonly acknowledgedBy: string | null
}

const fromRow = (row: Row): StoredAlert => ({
  ...row,
  topic: row.topic ?? undefined,
  partition: row.partition ?? undefined,
  closedAt: row.closedAt ?? undefined,
  closedBecause: (row.closedBecause ?? undefined) as ClosedBecause | undefined,
  acknowledgedAt: row.acknowledgedAt ?? undefined,
  acknowledgedBy: row.acknowledgedBy ?? undefined
})

const millis = (sql: PgClient.PgClient, column: string) =>
  sql`floor(extract(epoch FROM ${sql(column)}) * 1000)::double precision`

const columns = (sql: PgClient.PgClient) =>
  sql`
    id::text AS id, service_name AS service, kind, topic, partition, severity, message, evidence,
    ${millis(sql, "opened_at")} AS "openedAt", ${millis(sql, "closed_at")} AS "closedAt",
    closed_because AS "closedBecause", ${millis(sql, "acknowledged_at")} AS "acknowledgedAt",
    acknowledged_by AS "acknowledgedBy"`

/** The rows that a condition and an order leave. */
export const select = (sql: PgClient.PgClient, where: ReturnType<PgClient.PgClient["literal"]>) =>
  sql<Row>`SELECT ${columns(sql)} FROM consumer_alerts WHERE ${where}`

export const fromRows = (rows: ReadonlyArray<Row>): ReadonlyArray<StoredAlert> => rows.map(fromRow)

type Operation = "open" | "change" | "refresh" | "close"

const change = (operation: Operation, alert: Alert, because: ClosedBecause | undefined) => ({
  operation,
  service_name: storable(alert.service),
  kind: storable(alert.kind),
  topic: alert.topic === undefined ? null : storable(alert.topic),
  partition: alert.partition ?? null,
  severity: alert.severity,
  message: storable(alert.message),
  evidence: storableJson(alert.evidence),
  opened_at_ms: alert.openedAt,
  closed_at_ms: alert.closedAt ?? null,
  because: because ?? null
})

const operations = { Opened: "open", Changed: "change", Closed: "close" } as const

/** What a look changed, as the statement that writes it reads it. */
export const changesOf = ({ refreshed, transitions }: Pick<Looked, "refreshed" | "transitions">) => [
  ...transitions.map((one) => change(operations[one._tag], one.alert, one._tag === "Closed" ? one.because : undefined)),
  ...refreshed.map((alert) => change("refresh", alert, undefined))
]
