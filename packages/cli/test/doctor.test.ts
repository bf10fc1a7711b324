import { assert, describe, it } from "@effect/vitest"
import * as Resolution from "@weft/config/Resolution"
import * as Effect from "effect/Effect"
import { skewFinding, versionFinding } from "../src/internal/doctor/database.ts"
import { releaseOf } from "../src/internal/doctor/kafka.ts"
import { nodeFinding } from "../src/internal/doctor/machine.ts"
import * as Services from "../src/internal/doctor/services.ts"
import { memory, weft } from "./support/weft.ts"

const resolved = (service: string, columns: Readonly<Record<string, unknown>>) =>
  Resolution.resolve({ service, row: { _tag: "Row", columns: { service_name: service, ...columns } } })

const brokers = (settings: Readonly<Record<string, string>>, topics: ReadonlyArray<string>) => ({
  findings: [],
  topics: new Set(topics),
  settings: new Map(Object.entries(settings))
})

describe("what the doctor finds", () => {
  it("versions", () => {
    assert.deepStrictEqual(
      ["v26.1.0", "v22.19.0", "v22.18.9", "v20.1.0"].map((version) => nodeFinding(version).verdict),
      ["ok", "ok", "failure", "failure"]
    )
    assert.deepStrictEqual(
      ["18.1", "15.4 (Debian 15.4-1)", "14.9"].map((version) => versionFinding(version).verdict),
      ["ok", "ok", "failure"]
    )
    const newer = "group.consumer.session.timeout.ms"
    const older = "log.message.format.version"
    const of = (...names: ReadonlyArray<string>) => releaseOf(new Map(names.map((name) => [name, ""])))
    assert.deepStrictEqual([of(newer), of(newer, older), of(older)], ["4.0 or newer", "3.7 to 3.9", "older than 3.7"])
  })

  it("a clock is ahead or behind only as far as the question was quick", () => {
    assert.strictEqual(skewFinding(1_900, 10).verdict, "ok")
    assert.strictEqual(skewFinding(-3_000, 10).verdict, "warning")
    assert.strictEqual(skewFinding(3_000, 4_000).verdict, "ok")
  })

  it("configurations against what the brokers accept and have", () => {
    const rows = [
      resolved("well", { session_timeout_ms: 30_000 }),
      resolved("short", { session_timeout_ms: 10_000 }),
      resolved("wrong", { max_poll_records: -5 })
    ]
    const found = Services.examine(
      rows,
      [{ service: "well", topic: "orders" }, { service: "well", topic: "gone" }],
      brokers({ "group.min.session.timeout.ms": "20000" }, ["orders", "orders.dlq"])
    )
    assert.deepStrictEqual(found.map(({ check, verdict }) => [check, verdict]), [
      ["wrong", "warning"],
      ["short", "warning"],
      ["well", "failure"],
      ["dead-letter topics", "ok"]
    ])
    assert.include(found[2]!.found, "gone")
    assert.include(found[3]!.found, "gone.dlq")
    assert.deepStrictEqual(
      Services.examine([rows[0]!], [], undefined).map(({ verdict }) => verdict),
      ["ok"]
    )
  })
})

describe("weft doctor", () => {
  it.effect("without a database: says so, looks at the rest, and ends with 6", () =>
    Effect.gen(function*() {
      const { code, out } = yield* weft("doctor --json")
      assert.strictEqual(code, 6)
      const { findings, healthy } = JSON.parse(out)
      assert.isFalse(healthy)
      const of = (area: string) => findings.filter((one: { readonly area: string }) => one.area === area)
      assert.strictEqual(of("database")[0].verdict, "failure")
      assert.include(of("database")[0].next, "DATABASE_URL")
      assert.strictEqual(of("services")[0].verdict, "skipped")
      assert.isTrue(of("kafka").every(({ verdict }: { readonly verdict: string }) => verdict !== "failure"))
      assert.include((yield* weft("doctor")).out, "what to do")
    }).pipe(Effect.provide(memory())))
})
