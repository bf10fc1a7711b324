import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { memory, weft } from "./support/weft.ts"

describe("weft demo", () => {
  it.live("runs on nothing but this process, and ends with what the topics say: all is settled and committed", () =>
    Effect.gen(function*() {
      const { code, err, out } = yield* weft("demo --for 2s --json")
      assert.strictEqual(code, 0, err)
      const lines = out.split("\n").map((line) => JSON.parse(line) as Readonly<Record<string, number>>)
      assert.isAtLeast(lines.length, 2)
      const verdict = lines.at(-1)!
      assert.isAbove(verdict["written"]!, 50)
      assert.deepInclude(verdict, { settled: verdict["written"], notCommitted: 0 })
    }).pipe(Effect.provide(memory())))

  it.live("without a database it says what is missing", () =>
    Effect.gen(function*() {
      const { code, err } = yield* weft("demo --database --for 1s")
      assert.strictEqual(code, 2)
      assert.include(err, "DATABASE_URL")
    }).pipe(Effect.provide(memory())))
})
