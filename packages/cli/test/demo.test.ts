import { assert, describe, it } from "@effect/vitest"
import * as FaultPlan from "@weft/testing/FaultPlan"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { memory, weft } from "./support/weft.ts"

describe("weft demo", () => {
  it.live("runs on nothing but this process, and ends with what the topics say: all is settled and committed", () =>
    Effect.gen(function*() {
      const { code, err, out } = yield* weft("demo --for 2s --json")
      assert.strictEqual(code, 0, err)
      const lines = out.split("\n").map((line) => JSON.parse(line) as Readonly<Record<string, number>>)
      assert.isAtLeast(lines.length, 2)
      const verdict = lines.at(-1)!
      // How many is a matter of how busy the machine is.
      assert.isAbove(verdict["written"]!, 0)
      assert.deepInclude(verdict, { settled: verdict["written"], notCommitted: 0 })
    }).pipe(Effect.provide(memory())))

  it.effect("waits at its end for what it wrote, also where it is read late", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      const demo = yield* Effect.forkChild(weft("demo --kafka --for 3s --json"))
      for (let i = 0; i < 58; i++) yield* TestClock.adjust("50 millis")
      yield* cluster.apply(FaultPlan.delay("fetch", "4 seconds", { times: 20 }))
      for (let i = 0; i < 2_000 && demo.pollUnsafe() === undefined; i++) yield* TestClock.adjust("50 millis")
      const { code, err, out } = yield* Fiber.join(demo)
      assert.strictEqual(code, 0, err)
      const verdict = JSON.parse(out.split("\n").at(-1)!) as Readonly<Record<string, number>>
      assert.isAbove(verdict["written"]!, 300)
      assert.deepInclude(verdict, { settled: verdict["written"], notCommitted: 0 })
    }).pipe(Effect.provide(memory())))

  it.live("without a database it says what is missing", () =>
    Effect.gen(function*() {
      const { code, err } = yield* weft("demo --database --for 1s")
      assert.strictEqual(code, 2)
      assert.include(err, "DATABASE_URL")
    }).pipe(Effect.provide(memory())))
})
