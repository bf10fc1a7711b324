import { assert, describe, it } from "@effect/vitest"
import type { Outcome } from "../src/measure.ts"
import { withOutcomes } from "../src/page.ts"
import { defaultShape, type WorkloadName } from "../src/workloads.ts"

const outcome = (workload: WorkloadName, partitions = 4): Outcome => ({
  workload,
  shape: { ...defaultShape, partitions },
  summaries: [{
    name: "weft process",
    recordsPerSecond: 1000,
    spread: [900, 1100],
    cpuSecondsPerMillion: 1,
    peakRssMb: 100,
    figures: new Map()
  }],
  ratios: [],
  differences: [],
  runs: { "weft process": [] }
})

const about = { date: "2026-01-02", command: "npm run bench -- --workload tracing" }

describe("a page of results", () => {
  it("has what was measured last where it belongs, and what is written around it stays", () => {
    const page = "# Speed\n\nbefore\n\n<!-- bench tracing -->\nold\n<!-- /bench -->\n\nafter\n"
    const once = withOutcomes(page, [outcome("tracing"), outcome("tracing", 64)], about, "plots")
    assert.match(once, /^# Speed\n\nbefore\n\n<!-- bench tracing -->\n\n1,000,000 records of 200 bytes, 4 partitions/)
    assert.match(once, /64 partitions, 0 rounds; 2026-01-02, `npm run bench -- --workload tracing`/)
    assert.match(once, /!\[tracing-64-partitions\]\(plots\/tracing-64-partitions\.svg\)/)
    assert.match(once, /<!-- \/bench -->\n\nafter\n$/)
    assert.notInclude(once, "old")
    assert.strictEqual(withOutcomes(once, [outcome("tracing"), outcome("tracing", 64)], about, "plots"), once)
  })

  it("says of which shape, unless the entrants do", () => {
    const page = withOutcomes("", [outcome("backlogs")], about, undefined)
    assert.match(page, /<!-- bench backlogs -->\n\n0 rounds; 2026/)
  })

  it("gets a section for what it did not know, and none of the others is touched", () => {
    const page = "<!-- bench tracing -->\nold\n<!-- /bench -->\n"
    const more = withOutcomes(page, [outcome("record")], about, undefined)
    assert.isTrue(more.startsWith(page))
    assert.match(more, /## record\n\n<!-- bench record -->\n\n1,000,000 records/)
    assert.notInclude(more, "![")
  })
})
