/** Which plots an outcome gets, and under which names. Pure. */
import type { Outcome } from "./measure.ts"
import { bars } from "./plot.ts"
import { defaultShape } from "./workloads.ts"

type Plot = readonly [file: string, svg: string]

const spelled = (words: string): string => words.toLowerCase().replaceAll(/[^a-z0-9.]+/g, "-")

/** What is unlike the usual shape is a part of the name. */
const suffixOf = ({ bytes, partitions }: Outcome["shape"]): string =>
  [
    ...(bytes === defaultShape.bytes ? [] : [`-${bytes}-bytes`]),
    ...(partitions === defaultShape.partitions ? [] : [`-${partitions}-partitions`])
  ].join("")

/** One of the speeds, or one of each figure. */
export const plotsOf = ({ shape, summaries, workload }: Outcome): ReadonlyArray<Plot> => {
  const of = `values of ${shape.bytes} bytes, ${shape.partitions} partitions`
  const figures = new Set(summaries.flatMap((one) => [...one.figures.keys()]))
  if (figures.size === 0) {
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
