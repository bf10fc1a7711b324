/** From the runs of each contender to medians, and to ratios with how sure they are. Pure. */

export interface Run {
  readonly recordsPerSecond: number
  /** Not known of a contender that is not this process. */
  readonly cpuSecondsPerMillion?: number | undefined
  readonly peakRssMb?: number | undefined
  /** What a workload is about where that is not the speed, each named with its unit: `"p99 ms"`. */
  readonly figures?: Readonly<Record<string, number>> | undefined
}

export interface Summary {
  readonly name: string
  readonly recordsPerSecond: number
  /** The slowest and the fastest round. */
  readonly spread: readonly [slowest: number, fastest: number]
  readonly cpuSecondsPerMillion: number | undefined
  readonly peakRssMb: number | undefined
  readonly figures: ReadonlyMap<string, Spread>
}

/** A median, and the least and the most of all rounds. */
export interface Spread {
  readonly middle: number
  readonly least: number
  readonly most: number
}

/** Who is compared with whom, and what the ratio of their speeds is meant to be at least. */
export interface Pair {
  readonly name: string
  readonly baseline: string
  readonly target?: number | undefined
  /** The same of the CPU time that each record takes: above 1 is cheaper. */
  readonly cpuTarget?: number | undefined
}

/** Whose figure is compared with whose, and how much more it may be at most, in the figure's own unit. */
export interface FigurePair {
  readonly figure: string
  readonly name: string
  readonly baseline: string
  readonly atMostMore?: number | undefined
}

export interface Difference extends FigurePair {
  /** The median of the differences of one round each; below 0 is less. */
  readonly difference: number
  readonly low: number
  readonly high: number
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

const spreadOf = (values: ReadonlyArray<number>): Spread => ({
  middle: median(values),
  least: Math.min(...values),
  most: Math.max(...values)
})

/** Of each figure that any round told. */
const spreads = (runs: ReadonlyArray<Run>): ReadonlyMap<string, Spread> => {
  const names = new Set(runs.flatMap(({ figures = {} }) => Object.keys(figures)))
  return new Map([...names].map((name) => [
    name,
    spreadOf(runs.flatMap(({ figures = {} }) => figures[name] ?? []))
  ]))
}

export const summarize = (runs: ReadonlyMap<string, ReadonlyArray<Run>>): ReadonlyArray<Summary> =>
  [...runs].map(([name, own]) => {
    const rates = spreadOf(own.map((run) => run.recordsPerSecond))
    return {
      name,
      recordsPerSecond: rates.middle,
      spread: [rates.least, rates.most],
      figures: spreads(own),
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

/** Figures of the same round, one taken from the other; pairs that did not run, or did not tell the figure, are left out. */
export const differences = (
  runs: ReadonlyMap<string, ReadonlyArray<Run>>,
  pairs: ReadonlyArray<FigurePair>
): ReadonlyArray<Difference> =>
  pairs.flatMap((pair) => {
    const base = runs.get(pair.baseline)
    const values = (runs.get(pair.name) ?? []).flatMap((run, i) => {
      const own = run.figures?.[pair.figure]
      const other = base?.[i]?.figures?.[pair.figure]
      return own === undefined || other === undefined ? [] : own - other
    })
    if (values.length === 0) return []
    const [low, high] = interval(values)
    return [{ ...pair, difference: median(values), low, high }]
  })
