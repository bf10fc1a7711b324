import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Ring } from "../../src/internal/ring.ts"

type Command =
  | { readonly _tag: "Push"; readonly times: number }
  | { readonly _tag: "Shift"; readonly times: number }
  | { readonly _tag: "Replace" | "Remove"; readonly index: number; readonly count: number }
  | { readonly _tag: "Clear" }

const times = fc.integer({ min: 1, max: 40 })
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ _tag: fc.constant("Push" as const), times }) },
  { weight: 4, arbitrary: fc.record({ _tag: fc.constant("Shift" as const), times }) },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: fc.constantFrom("Replace" as const, "Remove" as const),
      index: fc.nat({ max: 100 }),
      count: fc.integer({ min: 1, max: 3 })
    })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Clear" as const) }) }
)

const slotsOf = (ring: Ring<number>): ReadonlyArray<number | undefined> =>
  (ring as unknown as { readonly slots: ReadonlyArray<number | undefined> }).slots

describe("ring", () => {
  it("is what an array would be, and keeps nothing that was taken, in these slots nor in those before", () => {
    fc.assert(fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const ring = new Ring<number>()
      let model: Array<number> = []
      let next = 0
      const replaced: Array<ReadonlyArray<number | undefined>> = []
      let slots = slotsOf(ring)
      const follow = () => {
        if (slots !== slotsOf(ring)) replaced.push(slots)
        slots = slotsOf(ring)
      }
      for (const one of commands) {
        switch (one._tag) {
          case "Push":
            for (let i = 0; i < one.times; i++, follow()) {
              ring.push(next)
              model.push(next++)
            }
            break
          case "Shift":
            for (let i = 0; i < one.times; i++, follow()) assert.strictEqual(ring.shift(), model.shift())
            break
          case "Clear":
            ring.clear()
            model = []
            follow()
            break
          default: {
            const count = Math.min(one.count, model.length)
            if (count === 0) break
            const index = one.index % (model.length - count + 1)
            if (one._tag === "Remove") {
              ring.remove(index, count)
              model.splice(index, count)
            } else {
              ring.replace(index, count, next)
              model.splice(index, count, next++)
            }
          }
        }
        assert.strictEqual(ring.size, model.length)
        assert.deepStrictEqual(model.map((_, index) => ring.at(index)), model)
        assert.isUndefined(ring.at(model.length))
        assert.deepStrictEqual(
          slotsOf(ring).filter((item) => item !== undefined).sort((a, b) => a - b),
          model.toSorted((a, b) => a - b)
        )
        assert.isTrue(replaced.every((old) => old.every((item) => item === undefined)))
      }
    }))
  })

  it("gives up the slots of a burst once it is over", () => {
    const ring = new Ring<number>()
    for (let i = 0; i < 5_000; i++) ring.push(i)
    assert.isAtLeast(slotsOf(ring).length, 5_000)
    for (let i = 0; i < 5_000; i++) assert.strictEqual(ring.shift(), i)
    assert.lengthOf(slotsOf(ring), 0)
    ring.push(1)
    assert.deepStrictEqual([ring.size, ring.at(0)], [1, 1])
  })
})
