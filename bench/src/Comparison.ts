/** From the runs of each contender to medians, and to ratios with how sure they are. Pure. */

export interface Run {
  readonly recordsPerSecond: number
  /** Not known of a contender that is not this process. */
  readonly cpuSecondsPerMillion?: number | undefined
  readonly peakRssMb?: number | undefined
}

export interface Summary {
  readonly name: string
  readonly recordsPerSecond: number
  /** The slowest and the fastest round. */
  readonly spread: readonly [slowest: number, fastest: number]
  readonly cpuSecondsPerMillion: number | undefined
  readonly peakRssMb: number | undefined
}

/** Who is compared with whom, and what the ratio of their speeds is meant to be at least. */
export interface Pair {
  readonly name: string
  readonly baseline: string
  readonly target?: number | undefined
}

export interface Ratio extends Pair {
  /** The median of the ratios of one round each, so that a slow minute of the machine counts for both. */
  readonly ratio: number
  /** Between these it lies with 95% confidence: by the bootstrap over the rounds. */
  readonly low: number
  readonly high: number
  /** The same of the CPU time that each record takes: above 1 is cheaper. It depends less on what else the machine does. */
  readonly cpuRatio: number | undefined
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const known = (values: ReadonlyArray<number | undefined>): number | undefined => {
  const numbers = values.filter((value) => value !== undefined)
  return numbers.length === 0 ? undefined : median(numbers)
}

export const summarize = (runs: ReadonlyMap<string, ReadonlyArray<Run>>): ReadonlyArray<Summary> =>
  [...runs].map(([name, own]) => {
    const rates = own.map((run) => run.recordsPerSecond)
    return {
      name,
      recordsPerSecond: median(rates),
      spread: [Math.min(...rates), Math.max(...rates)],
      cpuSecondsPerMillion: known(own.map((run) => run.cpuSecondsPerMillion)),
      peakRssMb: known(own.map((run) => run.peakRssMb))
    }
  })

const resamples = 2_000

/** Always the same draws, so that the same runs always have the same interval. */
const draws = (): () => number => {
  let state = 42
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** The 95% interval of the median: medians of as many rounds, drawn again and again with replacement. */
export const interval = (values: ReadonlyArray<number>): readonly [low: number, high: number] => {
  const draw = draws()
  const medians = Array.from(
    { length: resamples },
    () => median(values.map(() => values[Math.floor(draw() * values.length)]!))
  ).sort((a, b) => a - b)
  return [medians[Math.floor(resamples * 0.025)]!, medians[Math.ceil(resamples * 0.975) - 1]!]
}

/** `runs` has the same number of rounds for each name, in the order in which they ran; pairs that did not run are left out. */
export const compare = (
  runs: ReadonlyMap<string, ReadonlyArray<Run>>,
  pairs: ReadonlyArray<Pair>
): ReadonlyArray<Ratio> =>
  pairs.flatMap((pair) => {
    const own = runs.get(pair.name)
    const base = runs.get(pair.baseline)
    if (own === undefined || base === undefined) return []
    const ratios = own.map((run, i) => run.recordsPerSecond / base[i]!.recordsPerSecond)
    const cpuRatios = own.map((run, i) =>
      run.cpuSecondsPerMillion === undefined || base[i]!.cpuSecondsPerMillion === undefined
        ? undefined
        : base[i]!.cpuSecondsPerMillion / run.cpuSecondsPerMillion
    )
    const [low, high] = interval(ratios)
    return [{ ...pair, ratio: median(ratios), low, high, cpuRatio: known(cpuRatios) }]
  })

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })

const fixed = (value: number | undefined): string => value === undefined ? "" : value.toFixed(2)

/** Markdown, its columns aligned for a terminal as well. */
const markdown = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (cells: ReadonlyArray<string>) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`
  return [line(rows[0]!), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.slice(1).map(line)]
    .join("\n")
}

export const summaryTable = (summaries: ReadonlyArray<Summary>): string =>
  markdown([
    ["who", "records/s", "slowest to fastest", "CPU s per 10^6", "peak RSS MiB"],
    ...summaries.map((one) => [
      one.name,
      whole.format(one.recordsPerSecond),
      one.spread.map((rate) => whole.format(rate)).join(" to "),
      fixed(one.cpuSecondsPerMillion),
      one.peakRssMb === undefined ? "" : whole.format(one.peakRssMb)
    ])
  ])

export const ratioTable = (ratios: ReadonlyArray<Ratio>): string =>
  markdown([
    ["ratio", "of", "to", "95% interval", "of CPU time", "target"],
    ...ratios.map((one) => [
      fixed(one.ratio),
      one.name,
      one.baseline,
      `${fixed(one.low)} to ${fixed(one.high)}`,
      fixed(one.cpuRatio),
      one.target === undefined ? "" : `${one.target}${one.ratio >= one.target ? "" : ", missed"}`
    ])
  ])
