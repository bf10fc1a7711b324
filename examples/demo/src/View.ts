/** The screen of the demo, from a model of what runs. Pure. */
import type { Source } from "@weft/config/Resolution"
import { bar, clock, fit, fitLine, type Line, number, span, sparkline, spread, type Style } from "./Text.ts"

export interface PartitionView {
  readonly topic: string
  readonly partition: number
  readonly committed: bigint
  readonly end: bigint
  readonly lag: bigint
}

export interface SettingView {
  readonly name: string
  readonly value: string
  readonly source: Source
}

export interface LogView {
  readonly at: number
  readonly level: string
  readonly text: string
}

export interface Model {
  readonly service: string
  readonly group: string
  readonly cluster: string
  readonly databaseUrl: string
  readonly elapsedMs: number
  readonly totalMs: number
  readonly produced: number
  readonly consumed: number
  readonly detected: number
  /** Records per second, one for each sample, the newest last. */
  readonly rates: ReadonlyArray<number>
  readonly partitions: ReadonlyArray<PartitionView>
  readonly settings: ReadonlyArray<SettingView>
  readonly log: ReadonlyArray<LogView>
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

const heading = (title: string, width: number): Line => [span(`── ${title} `.padEnd(width, "─"), "dim")]

const lagStyle = (lag: bigint): Style => lag > 10_000n ? "red" : lag > 1_000n ? "yellow" : "green"

/** A bar is full at the largest lag, and never for less than this. */
const leastFullBar = 500

const lagLines = (model: Model, width: number): ReadonlyArray<Line> => {
  const barWidth = Math.max(6, Math.min(40, width - 68))
  const full = Math.max(leastFullBar, ...model.partitions.map(({ lag }) => Number(lag)))
  return model.partitions.map((one) => [
    span(` ${fit(`${one.topic}-${one.partition}`, 28)} `),
    span(bar(Number(one.lag), full, barWidth), lagStyle(one.lag)),
    span(` ${number(one.lag).padStart(7)} `, one.lag === 0n ? "dim" : "bold"),
    span(` committed ${number(one.committed)} of ${number(one.end)}`, "dim")
  ])
}

const sourceStyle: Readonly<Record<Source, Style>> = {
  code: "yellow",
  environment: "yellow",
  row: "cyan",
  lastKnownGood: "red",
  profile: "yellow",
  derived: "green",
  default: "dim"
}

/** What was set comes first; the defaults fill the rest of the room. */
const bySource = (settings: ReadonlyArray<SettingView>): ReadonlyArray<SettingView> => {
  const order: ReadonlyArray<Source> = ["code", "environment", "row", "lastKnownGood", "profile", "derived", "default"]
  return order.flatMap((source) => settings.filter((setting) => setting.source === source))
}

const settingCell = ({ name, source, value }: SettingView, width: number): Line => {
  const valueWidth = width >= 50 ? 14 : 8
  const nameWidth = Math.max(8, width - valueWidth - 11)
  return fitLine([
    span(` ${fit(name, nameWidth)} `),
    span(fit(value, valueWidth), "bold"),
    span(` ${source}`, sourceStyle[source])
  ], width)
}

const settingLines = (model: Model, width: number, rows: number): ReadonlyArray<Line> => {
  const columns = width >= 76 ? 2 : 1
  const cell = Math.floor(width / columns)
  const shown = bySource(model.settings).slice(0, rows * columns)
  const height = Math.ceil(shown.length / columns)
  return Array.from(
    { length: height },
    (_, row) => shown.filter((_, i) => i % height === row).flatMap((setting) => settingCell(setting, cell))
  )
}

const levelStyle = (level: string): Style => level === "ERROR" ? "red" : level === "WARN" ? "yellow" : "dim"

const time = (at: number): string => new Date(at).toISOString().slice(11, 19)

const logLines = (model: Model, rows: number): ReadonlyArray<Line> =>
  model.log.slice(-rows).map(({ at, level, text }) => [
    span(` ${time(at)} `, "dim"),
    span(level.padEnd(5), levelStyle(level)),
    span(` ${text}`)
  ])

/** As many lines as the screen has rows, each as wide as the screen. */
export const frame = (model: Model, size: Size): ReadonlyArray<Line> => {
  const { columns: width, rows } = size
  const lag = model.partitions.reduce((sum, one) => sum + one.lag, 0n)
  const head: ReadonlyArray<Line> = [
    spread(
      [span(" weft ", "bold"), span(model.service, "cyan"), span(`  group ${model.group}, ${model.cluster}`, "dim")],
      [span(`${clock(model.elapsedMs)} of ${clock(model.totalMs)} `)],
      width
    ),
    [],
    heading("throughput", width),
    [
      span(` ${number(model.rates.at(-1) ?? 0).padStart(6)} records/s `, "bold"),
      span(sparkline(model.rates, Math.max(10, Math.min(60, width - 21))), "cyan")
    ],
    [
      span(` produced ${number(model.produced)}`),
      span(`   consumed ${number(model.consumed)}`),
      span(`   regions detected ${number(model.detected)}`)
    ],
    heading(`lag  ${number(lag)}`, width),
    ...lagLines(model, width)
  ]
  const foot: Line = [span(` psql ${model.databaseUrl}`), span("   Ctrl-C ends", "dim")]
  // The log has at least three lines; settings have what is left of the rest, at most ten.
  const settingsRows = Math.max(2, Math.min(10, rows - head.length - 6))
  const settings = settingLines(model, width, settingsRows)
  const above = [...head, heading("settings, and where each comes from", width), ...settings]
  const logRows = Math.max(0, rows - above.length - 2)
  const all = [...above, heading("log", width), ...logLines(model, logRows)]
  while (all.length < rows - 1) all.push([])
  return [...all.slice(0, rows - 1), foot].map((line) => fitLine(line, width))
}

/** One line, for where there is no terminal. */
export const plain = (model: Model): string => {
  const lag = model.partitions.reduce((sum, one) => sum + one.lag, 0n)
  return `${clock(model.elapsedMs)}  ${number(model.rates.at(-1) ?? 0)} records/s  consumed ${number(model.consumed)} `
    + `of ${number(model.produced)}  lag ${number(lag)}  regions detected ${number(model.detected)}`
}
