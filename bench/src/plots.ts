/** Which plots an outcome gets, and under which names. Pure. */
import type { Spread, Summary } from "./Comparison.ts"
import { curve, type Series } from "./curve.ts"
import type { Outcome } from "./measure.ts"
import { bars } from "./plot.ts"
import { type Curve, defaultShape, entrantsOf, type Quantity, type Workload, workloads } from "./workloads.ts"

type Plot = readonly [file: string, svg: string]

const spelled = (words: string): string => words.toLowerCase().replaceAll(/[^a-z0-9.]+/g, "-")

/** What is unlike the usual shape is a part of the name. */
const suffixOf = ({ bytes, partitions, records }: Outcome["shape"]): string =>
  [
    ...(records > defaultShape.records ? [`-${records}-records`] : []),
    ...(bytes === defaultShape.bytes ? [] : [`-${bytes}-bytes`]),
    ...(partitions === defaultShape.partitions ? [] : [`-${partitions}-partitions`])
  ].join("")

const spreadOf = (summary: Summary, quantity: Quantity): Spread | undefined => {
  const { cpuSecondsPerMillion: cpu, figures, recordsPerSecond, spread: [least, most] } = summary
  if (quantity === "records/s") return { middle: recordsPerSecond, least, most }
  if (quantity === "CPU s per 10^6") return cpu === undefined ? undefined : { middle: cpu, least: cpu, most: cpu }
  return figures.get(quantity)
}

/** Of all names, up to their own words. */
const lengthInCommon = (names: ReadonlyArray<string>): number => {
  const [first = ""] = names
  const words = first.split(" ")
  const shared = words.filter((_, i) => names.every((name) => name.startsWith(words.slice(0, i + 1).join(" ") + " ")))
  return shared.reduce((length, word) => length + word.length + 1, 0)
}

/** What entrants have in common is in the name of the series, and what is their own beside the point. */
const curveOf = ({ shape, summaries, workload }: Outcome, { isIdentityShown, name, x, y }: Curve): Plot => {
  const one: Workload = workloads[workload]
  const entrants = entrantsOf(one)
  const common = lengthInCommon(summaries.map((summary) => summary.name))
  const series = new Map<string, Array<Series["points"][number]>>()
  for (const summary of summaries) {
    const { contender, ...own } = entrants.get(summary.name)!
    const at = typeof x === "string" ? { ...shape, ...own }[x] : summary.figures.get(x.figure)?.middle
    for (const quantity of y) {
      const spread = spreadOf(summary, quantity)
      if (at === undefined || spread === undefined) continue
      const of = typeof x === "string" ? contender : quantity
      const points = series.get(of) ?? []
      series.set(of, points)
      points.push({
        x: at,
        ...spread,
        ...(isIdentityShown === true && { label: summary.name.slice(common) })
      })
    }
  }
  return [
    `${name}.svg`,
    curve(
      `${workload}: ${y.join(", ")}`,
      { x: typeof x === "string" ? x : x.figure, y: y.join(", "), isIdentityShown },
      [...series].map(([name, points]) => ({ name, points }))
    )
  ]
}

/** The curves of the workload; else one of the speeds, or one of each figure that is compared, or of all. */
export const plotsOf = (outcome: Outcome): ReadonlyArray<Plot> => {
  const { shape, summaries, workload } = outcome
  const { curves, figures: compared = [] }: Workload = workloads[workload]
  if (curves !== undefined) return curves.map((one) => curveOf(outcome, one))
  const of = `values of ${shape.bytes} bytes, ${shape.partitions} partitions`
  const told = new Set(summaries.flatMap((one) => [...one.figures.keys()]))
  const figures = compared.length === 0 ? told : new Set(compared.map(({ figure }) => figure))
  if (told.size === 0) {
    const rows = summaries.map(({ name, recordsPerSecond, spread: [least, most] }) => ({
      name,
      middle: recordsPerSecond,
      least,
      most
    }))
    return [[`${workload}${suffixOf(shape)}.svg`, bars(`${workload}: records per second, ${of}`, rows)]]
  }
  return [...figures].map((figure) => {
    const rows = summaries.flatMap(({ figures, name }) => {
      const spread = figures.get(figure)
      return spread === undefined ? [] : [{ name, ...spread }]
    })
    return [`${workload}-${spelled(figure)}${suffixOf(shape)}.svg`, bars(`${workload}: ${figure}`, rows)]
  })
}
