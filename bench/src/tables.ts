/** What was compared, as tables in Markdown, aligned for a terminal as well. Pure. */
import type { Difference, Ratio, Spread, Summary } from "./Comparison.ts"

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })

const fixed = (value: number | undefined): string => value === undefined ? "" : value.toFixed(2)

/** Whole numbers where a fraction says nothing. */
export const readable = (value: number): string => Math.abs(value) < 100 ? fixed(value) : whole.format(value)

const markdown = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (cells: ReadonlyArray<string>) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`
  return [line(rows[0]!), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.slice(1).map(line)]
    .join("\n")
}

const verdict = (target: number | undefined, isReached: boolean): string =>
  target === undefined ? "" : `${target}${isReached ? "" : ", missed"}`

const median = (figure: Spread | undefined): string =>
  figure === undefined ? "" : `${readable(figure.middle)} (${readable(figure.least)} to ${readable(figure.most)})`

/** Figures take the place of speed: who tells them is not about that. */
export const summaryTable = (summaries: ReadonlyArray<Summary>): string => {
  const figures = [...new Set(summaries.flatMap((one) => [...one.figures.keys()]))]
  const speed = figures.length === 0
  return markdown([
    ["who", ...(speed ? ["records/s", "slowest to fastest"] : figures), "CPU s per 10^6", "peak RSS MiB"],
    ...summaries.map((one) => [
      one.name,
      ...(speed
        ? [whole.format(one.recordsPerSecond), one.spread.map((rate) => whole.format(rate)).join(" to ")]
        : figures.map((figure) => median(one.figures.get(figure)))),
      fixed(one.cpuSecondsPerMillion),
      one.peakRssMb === undefined ? "" : whole.format(one.peakRssMb)
    ])
  ])
}

export const ratioTable = (ratios: ReadonlyArray<Ratio>): string =>
  markdown([
    ["ratio", "of", "to", "95% interval", "target", "of CPU time", "its target"],
    ...ratios.map((one) => [
      fixed(one.ratio),
      one.name,
      one.baseline,
      `${fixed(one.low)} to ${fixed(one.high)}`,
      verdict(one.target, one.ratio >= (one.target ?? 0)),
      fixed(one.cpuRatio),
      verdict(one.cpuTarget, (one.cpuRatio ?? 0) >= (one.cpuTarget ?? 0))
    ])
  ])

export const differenceTable = (differences: ReadonlyArray<Difference>): string =>
  markdown([
    ["figure", "of", "less that of", "difference", "95% interval", "at most"],
    ...differences.map((one) => [
      one.figure,
      one.name,
      one.baseline,
      fixed(one.difference),
      `${fixed(one.low)} to ${fixed(one.high)}`,
      verdict(one.atMostMore, one.difference <= (one.atMostMore ?? 0))
    ])
  ])
