/**
 * Reads Prometheus's text format, version 0.0.4, as strictly as its specification allows, and as `promtool check metrics`
 * lints it. Throws at the first line that is wrong.
 */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: Array<Sample>
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const helpLine = /^# HELP (\S+) (.*)$/s
const typeLine = /^# TYPE (\S+) (counter|gauge|histogram|summary|untyped)$/
const sampleLine = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s
const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|$)/
const number = /^(?:[+-]Inf|NaN|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/

export const parse = (text: string): ReadonlyMap<string, Family> => {
  const families = new Map<string, Family>()
  if (text === "") return families
  if (!text.endsWith("\n")) throw new Error("no line feed at the end")
  let help: { readonly name: string; readonly text: string } | undefined
  let family: Family | undefined
  for (const line of text.slice(0, -1).split("\n")) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${line}`)
    }
    const helped = helpLine.exec(line)
    if (helped !== null) {
      if (/\\(?![\\n])/.test(helped[2]!)) fail("an escape that there is not")
      help = { name: helped[1]!, text: helped[2]! }
      continue
    }
    const typed = typeLine.exec(line)
    if (typed !== null) {
      const [, name, type] = typed
      if (!metricName.test(name!)) fail("not a name")
      if (families.has(name!)) fail("a family twice")
      if (help?.name !== name) fail("no HELP before TYPE")
      family = { name: name!, type: type!, help: help!.text, samples: [] }
      help = undefined
      families.set(name!, family)
      continue
    }
    const sampled = sampleLine.exec(line)
    if (sampled === null || family === undefined) return fail("not a line of the format")
    const [, name, labels = "", value] = sampled
    if (!namesOf(family).includes(name!)) fail(`not a sample of ${family.name}`)
    if (!number.test(value!)) fail("not a number")
    family.samples.push({
      name: name!,
      labels: labelsOf(labels, fail),
      value: Number(value!.replace("Inf", "Infinity"))
    })
  }
  for (const one of families.values()) check(one)
  return families
}

const namesOf = ({ name, type }: Family): ReadonlyArray<string> =>
  type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]

const labelsOf = (text: string, fail: (why: string) => never): Readonly<Record<string, string>> => {
  const labels: Record<string, string> = {}
  for (let rest = text; rest !== "";) {
    const found = label.exec(rest)
    if (found === null) return fail("not a label")
    const [all, name, value] = found
    if (name! in labels) fail("a label twice")
    labels[name!] = value!.replace(/\\(.)/g, (_, escaped: string) => escaped === "n" ? "\n" : escaped)
    rest = rest.slice(all.length)
  }
  return labels
}

const sorted = (labels: Readonly<Record<string, string>>): ReadonlyArray<readonly [string, string]> =>
  Object.entries(labels).toSorted(([a], [b]) => a < b ? -1 : 1)

/** What the lines of a family must be together. */
const check = (family: Family): void => {
  const fail = (why: string): never => {
    throw new Error(`${family.name}: ${why}`)
  }
  const { name, samples, type } = family
  if (samples.length === 0) fail("no samples")
  if (family.help === "") fail("no help")
  if (type === "counter" ? !name.endsWith("_total") : name.endsWith("_total")) {
    fail("counters, and only they, end in _total")
  }
  if (/_(count|sum|bucket|info)$/.test(name)) fail("a suffix that is reserved")
  if (/(^|_)(ms|milliseconds|minutes|hours|kilobytes|megabytes|mb|kb)(_|$)/.test(name)) fail("not a base unit")
  if (/(^|_)(counter|gauge|histogram|summary)(_|$)/.test(name)) fail("the type in the name")
  const seen = new Set<string>()
  for (const sample of samples) {
    const key = JSON.stringify([sample.name, sorted(sample.labels)])
    if (seen.has(key)) fail(`a series twice: ${key}`)
    seen.add(key)
    if (type === "counter" && !(sample.value >= 0)) fail("a counter below zero")
  }
  if (type === "histogram") checkHistogram(family, fail)
}

const checkHistogram = ({ name, samples }: Family, fail: (why: string) => never): void => {
  const series = Map.groupBy(
    samples,
    ({ labels: { le: _, ...labels } }) => JSON.stringify(sorted(labels))
  )
  for (const parts of series.values()) {
    const buckets = parts.filter((part) => part.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => Number(labels["le"]!.replace("Inf", "Infinity")))
    if (bounds.some((bound, i) => Number.isNaN(bound) || bound <= (bounds[i - 1] ?? -Infinity))) {
      fail("bounds do not rise")
    }
    if (bounds.at(-1) !== Infinity) fail("no bucket +Inf")
    const counts = buckets.map(({ value }) => value)
    if (counts.some((count, i) => count < (counts[i - 1] ?? 0))) fail("counts are not cumulative")
    const total = parts.filter((part) => part.name === `${name}_count`)
    if (total.length !== 1 || total[0]!.value !== counts.at(-1)) fail("the count is not that of +Inf")
    if (parts.filter((part) => part.name === `${name}_sum`).length !== 1) fail("no sum")
  }
}
