import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { bar, clock, fit, fitLine, span, sparkline, spread, toAnsi, widthOf } from "../src/Text.ts"
import { frame, type Model, plain } from "../src/View.ts"

const model: Model = {
  service: "georegion-detector",
  group: "loom-georegion",
  cluster: "in-memory cluster",
  databaseUrl: "postgres://postgres@127.0.0.1:5432/demo",
  elapsedMs: 23_400,
  totalMs: 60_000,
  produced: 12_345,
  consumed: 12_000,
  detected: 6_789,
  rates: [0, 100, 400, 380],
  partitions: [0, 1, 2, 3].map((partition) => ({
    topic: "location.address.geocoded",
    partition,
    committed: 3_000n,
    end: 3_000n + BigInt(partition) * 600n,
    lag: BigInt(partition) * 600n
  })),
  settings: [
    { name: "isolation_level", value: "read_committed", source: "default" },
    { name: "max_poll_records", value: "200", source: "row" },
    { name: "heartbeat_interval_ms", value: "10000", source: "derived" }
  ],
  log: [{ at: Date.UTC(2026, 0, 1, 12, 0, 7), level: "INFO", text: "assigned location.address.geocoded-0" }]
}

const text = (lines: ReturnType<typeof frame>) => lines.map((line) => toAnsi(line, false))

describe("the screen", () => {
  it("fills any terminal exactly", () => {
    fc.assert(fc.property(fc.integer({ min: 20, max: 250 }), fc.integer({ min: 5, max: 90 }), (columns, rows) => {
      const lines = frame(model, { columns, rows })
      assert.lengthOf(lines, rows)
      for (const line of lines) assert.strictEqual(widthOf(line), columns)
    }))
  })

  it("shows throughput, lag, settings with their provenance, and the log, on 80 by 24", () => {
    const shown = text(frame(model, { columns: 80, rows: 24 })).join("\n")
    assert.match(shown, /georegion-detector {2}group loom-georegion, in-memory cluster +0:23 of 1:00/)
    assert.match(shown, /380 records\/s/)
    assert.match(shown, /── lag {2}3,600 ─/)
    assert.match(shown, /location\.address\.geocoded-3 +█+ +1,800 {2}committed 3,000 of 4,800/)
    assert.match(shown, /max_poll_records +200 +row/)
    assert.match(shown, /heartbeat_interval_ms +10000 +derived/)
    assert.match(shown, /12:00:07 INFO {2}assigned location/)
    assert.match(shown, /psql postgres:\/\/postgres@127\.0\.0\.1:5432\/demo/)
  })

  it("puts what was set before the defaults", () => {
    const lines = text(frame(model, { columns: 60, rows: 40 })).filter((line) =>
      / (?:row|derived|default) *$/.test(line)
    )
    assert.deepStrictEqual(lines.map((line) => line.trim().split(/ +/)[0]), [
      "max_poll_records",
      "heartbeat_interval_ms",
      "isolation_level"
    ])
  })

  it("keeps the columns in their places whatever the numbers", () => {
    const at = (lag: bigint) => {
      const partitions = [{ ...model.partitions[0]!, lag }]
      const line = text(frame({ ...model, partitions }, { columns: 100, rows: 24 })).find((line) =>
        / committed /.test(line)
      )
      return line!.indexOf("committed")
    }
    assert.strictEqual(at(0n), at(999_999n))
  })

  it("is one line where there is no terminal", () => {
    assert.strictEqual(
      plain(model),
      "0:23  380 records/s  consumed 12,000 of 12,345  lag 3,600  regions detected 6,789"
    )
  })
})

describe("text", () => {
  it("is cut with an ellipsis or filled up", () => {
    assert.strictEqual(fit("abc", 5), "abc  ")
    assert.strictEqual(fit("abcdef", 4), "abc…")
    assert.strictEqual(fit("abc", 0), "")
    assert.strictEqual(toAnsi(fitLine([span("abc", "bold"), span("def")], 4), false), "abc…")
    assert.strictEqual(toAnsi(spread([span("left")], [span("right")], 12), false), "left   right")
  })

  it("has colours only when asked", () => {
    assert.strictEqual(toAnsi([span("a", "red"), span("b")], true), "\u001b[31ma\u001b[0mb")
    assert.strictEqual(toAnsi([span("a", "red"), span("b")], false), "ab")
  })

  it("draws bars: full, half, and a little for a little", () => {
    assert.strictEqual(bar(10, 10, 4), "████")
    assert.strictEqual(bar(5, 10, 4), "██  ")
    assert.strictEqual(bar(1, 10_000, 4), "▏   ")
    assert.strictEqual(bar(0, 10, 4), "    ")
    assert.strictEqual(bar(99, 10, 4), "████")
  })

  it("draws the newest values at the right", () => {
    assert.strictEqual(sparkline([0, 2, 8], 5), "  ▁▄█")
    assert.strictEqual(sparkline([1, 2, 3, 0, 8], 2), "▁█")
    assert.strictEqual(sparkline([], 3), "   ")
  })

  it("tells time", () => {
    assert.strictEqual(clock(0), "0:00")
    assert.strictEqual(clock(61_999), "1:01")
  })
})
