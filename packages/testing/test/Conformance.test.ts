import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Conformance from "../src/Conformance.ts"
import * as MemoryCluster from "../src/MemoryCluster.ts"

describe("the in-memory transport conforms", () => {
  for (const { name, run } of Conformance.behaviours) {
    it.effect(name, () => run.pipe(Effect.provide([MemoryCluster.layer, Conformance.layerTestClock])))
  }
  it("names each behaviour once", () => {
    const names = Conformance.behaviours.map((b) => b.name)
    assert.strictEqual(new Set(names).size, names.length)
  })
})

describe("the in-memory transport conforms on a cluster with latency and several brokers", () => {
  for (const { name, run } of Conformance.behaviours) {
    it.effect(name, () =>
      run.pipe(
        Effect.provide([MemoryCluster.layerWith({ brokers: 3, latencyMs: [2, 25] }), Conformance.layerTestClock])
      ))
  }
})
