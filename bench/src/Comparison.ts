/** From the runs of each contender to medians and ratios. Pure. */

export interface Run {
  readonly recordsPerSecond: number
  readonly cpuSecondsPerMillion: number
  readonly peakRssMb: number
}

export interface Summary {
  readonly name: string
  /** What its speed is compared with. */
  readonly baseline: string
  readonly recordsPerSecond: number
  /** Its speed over that of its baseline: the median of the ratios of one round each, so that a slow minute of the machine counts for both. */
  readonly ratio: number
  readonly cpuSecondsPerMillion: number
  /** The same of the CPU time that each record takes: above 1 is cheaper. It depends less on what else the machine does. */
  readonly cpuRatio: number
  readonly peakRssMb: number
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** `runs` has the same number of rounds for each name, in the order in which they ran. */
export const summarize = (
  runs: ReadonlyMap<string, ReadonlyArray<Run>>,
  baselines: Readonly<Record<string, string>>
): ReadonlyArray<Summary> =>
  [...runs].map(([name, own]) => {
    const baseline = baselines[name] ?? name
    const base = runs.get(baseline)!
    return {
      name,
      baseline,
      recordsPerSecond: median(own.map((run) => run.recordsPerSecond)),
      ratio: median(own.map((run, i) => run.recordsPerSecond / base[i]!.recordsPerSecond)),
      cpuSecondsPerMillion: median(own.map((run) => run.cpuSecondsPerMillion)),
      cpuRatio: median(own.map((run, i) => base[i]!.cpuSecondsPerMillion / run.cpuSecondsPerMillion)),
      peakRssMb: median(own.map((run) => run.peakRssMb))
    }
  })

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })

/** A table in Markdown, its columns aligned for a terminal as well. */
export const table = (summaries: ReadonlyArray<Summary>): string => {
  const rows = [
    ["who", "records/s", "ratio", "CPU s per 10^6", "CPU ratio", "peak RSS MiB"],
    ...summaries.map((one) => [
      one.name,
      whole.format(one.recordsPerSecond),
      one.name === one.baseline ? "1" : `${one.ratio.toFixed(2)} of ${one.baseline}`,
      one.cpuSecondsPerMillion.toFixed(2),
      one.name === one.baseline ? "1" : one.cpuRatio.toFixed(2),
      whole.format(one.peakRssMb)
    ])
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (cells: ReadonlyArray<string>) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`
  return [line(rows[0]!), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.slice(1).map(line)]
    .join("\n")
}
