import * as MetricsMaintenance from "@weft/postgres/MetricsMaintenance"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { CliFailure } from "../../CliFailure.ts"
import { type Answer, answer } from "../answer.ts"
import { storeFailure, withDatabase } from "../database.ts"
import { durationFlag } from "../durations.ts"
import type { Paint } from "../paint.ts"
import { count, table } from "../table.ts"

type Report = MetricsMaintenance.TableReport

const outcomes: { readonly [O in Report["outcome"]]: string } = {
  done: "done",
  "not due": "not due yet",
  elsewhere: "another process is at it"
}

const toJson = (report: Report) => ({
  table: report.table,
  outcome: report.outcome,
  partitions_made: report.partitionsMade,
  hours_summed: report.hoursSummed,
  partitions_dropped: report.partitionsDropped,
  rows_deleted: report.rowsDeleted,
  hours_deleted: report.hoursDeleted
})

const lines = (paint: Paint, reports: ReadonlyArray<Report>): string =>
  table(paint, [
    { title: "TABLE", value: (row) => row.table },
    {
      title: "OUTCOME",
      value: (row) => outcomes[row.outcome],
      paint: (row) => row.outcome === "done" ? "green" : "yellow"
    },
    { title: "PARTITIONS MADE", value: (row) => row.partitionsMade, align: "right" },
    { title: "DROPPED", value: (row) => row.partitionsDropped.length, align: "right" },
    { title: "HOURS SUMMED", value: (row) => row.hoursSummed, align: "right" },
    { title: "ROWS DELETED", value: (row) => row.rowsDeleted, align: "right" },
    { title: "HOURS DELETED", value: (row) => row.hoursDeleted, align: "right" }
  ], reports)

const failureOf = (error: MetricsMaintenance.MetricsMaintenanceError): CliFailure => {
  switch (error.kind) {
    case "Rights":
      return new CliFailure({ kind: "Failed", message: error.message, next: "run it as the owner of the tables" })
    case "Schema":
      return new CliFailure({ kind: "Unavailable", message: error.message, next: "weft migrate" })
    case "Database":
      return storeFailure(error)
  }
}

const maintainNow = (options: MetricsMaintenance.Options) =>
  Effect.map(Effect.mapError(MetricsMaintenance.run(options), failureOf), (reports): Answer => ({
    json: reports.map(toJson),
    text: (paint) => {
      const dropped = reports.flatMap(({ partitionsDropped }) => partitionsDropped)
      const named = dropped.length === 0
        ? []
        : ["", `${count(dropped.length, "partition")} dropped: ${dropped.join(", ")}`]
      return [lines(paint, reports), ...named].join("\n")
    }
  }))

export const metricsMaintain = Command.make("maintain", {
  retention: durationFlag("retention").pipe(
    Flag.withDescription("How long rows are kept, such as 14d; whole days go at once. 7d by default"),
    Flag.withDefault(Duration.days(7))
  ),
  hourRetention: durationFlag("hour-retention").pipe(
    Flag.withDescription("How long the hours are kept that stay of them. 90d by default"),
    Flag.withDefault(Duration.days(90))
  )
}, (options) => answer(withDatabase(maintainNow(options)))).pipe(
  Command.withDescription(
    "Run the job that keeps the tables of metrics small, now: hours in place of old rows, partitions made ahead and dropped. " +
      "Members with PostgresMetricsSink run it by themselves, one of them each hour; this is for those that may not alter tables. " +
      "It needs the owner of the tables."
  ),
  Command.withShortDescription("Run the job that keeps the tables of metrics small"),
  Command.withExamples([
    { command: "weft metrics maintain" },
    { command: "weft metrics maintain --retention 14d --hour-retention 365d" }
  ])
)
