import * as PrometheusMetrics from "@weft/pipeline/PrometheusMetrics"
import * as Context from "effect/Context"
import type * as Metric from "effect/Metric"
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, expect, it } from "vitest"
import {
  dropped,
  ofMember,
  ofPartition,
  ofTopic,
  processingTimeOf
} from "../../packages/pipeline/src/internal/instruments.ts"
import { files, sources } from "../grafana/files.ts"
import { rules } from "../grafana/rules.ts"

const folder = new URL("../../docs/grafana/", import.meta.url)

/** Every metric of a pipeline as Prometheus is told of it, with its labels. */
const exported = (): ReadonlyMap<string, ReadonlySet<string>> => {
  const context = Context.empty()
  const topic = ofTopic("topic", "group")
  const member = ofMember("service", "group")
  const instruments: ReadonlyArray<Metric.Metric<number, unknown>> = [
    topic.consumed,
    topic.duration,
    ...Object.values(topic.counters),
    processingTimeOf("topic", "group"),
    ...Object.values(ofPartition("topic", 0, "group")),
    ...Object.values(member.gauges),
    ...Object.values(member.counters),
    member.commitDuration,
    dropped
  ]
  for (const instrument of instruments) instrument.updateUnsafe(1, context)
  const lines = PrometheusMetrics.formatUnsafe(context).split("\n").filter((line) =>
    line !== "" && !line.startsWith("#")
  )
  return new Map(lines.map((line) => {
    const [, name, labels = ""] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? /.exec(line)!
    return [
      name!.replace(/_(?:bucket|sum|count)$/, ""),
      new Set([...labels.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="/g)].map(([, label]) => label!))
    ]
  }))
}

/** `name{labels}`: ours are always written with braces. */
const selectors = (expr: string) =>
  [...expr.matchAll(/([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}/g)].map(([, name, labels]) => ({
    name: name!.replace(/_(?:bucket|sum|count)$/, ""),
    labels: [...labels!.matchAll(/([a-z_]+)\s*(?:=~|=|!=)/g)].map(([, label]) => label!)
  }))

/** The labels that an aggregation keeps. */
const kept = (expr: string) => [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/,\s*/))

/** Labels that Prometheus adds itself. */
const added = new Set(["instance", "job", "le"])

describe("docs/grafana", () => {
  it("is what the scripts say now (else: node scripts/grafana.ts)", () => {
    expect(readdirSync(folder).sort()).toEqual(["README.md", ...files.map(({ name }) => name)].sort())
    for (const { name, text } of files) expect(readFileSync(new URL(name, folder), "utf8")).toBe(text)
  })

  it("dashboards have a panel for each of their parts, and none covers another", () => {
    for (const { panels, uid } of sources) {
      const { panels: drawn } = JSON.parse(files.find(({ name }) => name === `${uid}.json`)!.text)
      expect(drawn.length).toBe(panels.length)
      const cells = new Set<string>()
      for (const { gridPos: { h, w, x, y } } of drawn) {
        expect(x + w).toBeLessThanOrEqual(24)
        for (let i = x; i < x + w; i++) {
          for (let j = y; j < y + h; j++) {
            expect(cells.has(`${i},${j}`)).toBe(false)
            cells.add(`${i},${j}`)
          }
        }
      }
    }
  })

  it("asks Prometheus for metrics and labels that exist", () => {
    const known = exported()
    expect(known.size).toBeGreaterThan(20)
    const panels = sources.find(({ type }) => type === "prometheus")!.panels
    const queries = panels.flatMap(({ queries }) => queries.map(({ text }) => text))
    for (const expr of [...queries, ...rules.map(({ expr }) => expr)]) {
      const found = selectors(expr)
      assert.isNotEmpty(found, expr)
      for (const { labels, name } of found) {
        assert.include([...known.keys()], name, expr)
        for (const label of labels) assert.include([...known.get(name)!], label, expr)
      }
      const all = new Set([...added, ...found.flatMap(({ name }) => [...known.get(name)!])])
      for (const label of kept(expr)) assert.include([...all], label, expr)
    }
  })

  it("rules name what they say of, and what to do", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
    for (const { description, expr, summary } of rules) {
      for (const [, label] of summary.matchAll(/\$labels\.([a-z_]+)/g)) assert.include(kept(expr), label, summary)
      expect(description.length).toBeGreaterThan(20)
    }
  })
})
