/**
 * The results in a page of Markdown: between `<!-- bench NAME -->` and `<!-- /bench -->` stands what was measured of that
 * workload last; what is written around it stays. Pure.
 */
import type { Outcome } from "./measure.ts"
import { plotsOf } from "./plots.ts"
import { differenceTable, ratioTable, summaryTable } from "./tables.ts"
import { type Workload, workloads } from "./workloads.ts"

/** When, on what and how: of each workload by itself, as they may be measured on other days. */
export interface About {
  readonly date: string
  readonly command: string
}

const whole = new Intl.NumberFormat("en-US")

const shapeOf = ({ shape, workload }: Outcome): string => {
  const { entrants }: Workload = workloads[workload]
  // Entrants have shapes of their own, and say so.
  if (entrants !== undefined) return ""
  const partitions = `${shape.partitions} partition${shape.partitions === 1 ? "" : "s"}`
  return `${whole.format(shape.records)} records of ${whole.format(shape.bytes)} bytes, ${partitions}, `
}

const captionOf = (outcome: Outcome, { command, date }: About): string =>
  `${shapeOf(outcome)}${Object.values(outcome.runs)[0]?.length ?? 0} rounds; ${date}, \`${command}\``

const sectionOf = (outcome: Outcome, about: About, plots: string | undefined): string =>
  [
    captionOf(outcome, about),
    ...(plots === undefined
      ? []
      : [plotsOf(outcome).map(([file]) => `![${file.replace(".svg", "")}](${plots}/${file})`).join("\n")]),
    summaryTable(outcome.summaries),
    ...(outcome.ratios.length > 0 ? [ratioTable(outcome.ratios)] : []),
    ...(outcome.differences.length > 0 ? [differenceTable(outcome.differences)] : [])
  ].join("\n\n")

const begin = (name: string) => `<!-- bench ${name} -->`
const end = "<!-- /bench -->"

const withBlock = (page: string, name: string, text: string): string => {
  const from = page.indexOf(begin(name))
  const to = page.indexOf(end, from)
  const block = `${begin(name)}\n\n${text}\n\n${end}`
  return from < 0 || to < 0
    ? `${page.trimEnd()}\n\n## ${name}\n\n${block}\n`
    : page.slice(0, from) + block + page.slice(to + end.length)
}

/** `plots`: the folder of the plots, as the page links to it. A workload that the page does not know is put at its end. */
export const withOutcomes = (
  page: string,
  outcomes: ReadonlyArray<Outcome>,
  about: About,
  plots: string | undefined
): string => {
  const names = [...new Set(outcomes.map(({ workload }) => workload))]
  return names.reduce((text, name) => {
    const sections = outcomes.filter(({ workload }) => workload === name).map((one) => sectionOf(one, about, plots))
    return withBlock(text, name, sections.join("\n\n"))
  }, page)
}
