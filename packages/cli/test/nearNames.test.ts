import { assert, describe, it } from "@effect/vitest"
import { nearNames } from "../src/internal/nearNames.ts"

const groups = ["loom-georegion", "loom-geocoder", "loom-vision", "loom-vad", "billing"]

describe("nearNames", () => {
  it("finds a slip of the fingers: a letter too much, too few, another one, two swapped", () => {
    for (const slip of ["loom-georegionn", "loom-georegon", "loom-geotegion", "loom-gerogeion"]) {
      assert.strictEqual(nearNames(slip, groups)[0], "loom-georegion")
    }
  })

  it("finds a part of a name, whatever the case", () => {
    assert.deepStrictEqual(nearNames("VISION", groups), ["loom-vision"])
    assert.deepStrictEqual(nearNames("loom-geo", groups), ["loom-geocoder", "loom-georegion"])
  })

  it("finds nothing where nothing is near", () => {
    assert.deepStrictEqual(nearNames("zzzzzz", groups), [])
    assert.deepStrictEqual(nearNames("x", []), [])
  })

  it("names five at most, the nearest first", () => {
    const many = Array.from({ length: 50 }, (_, i) => `orders-${i}`)
    const found = nearNames("orders-7", many)
    assert.strictEqual(found.length, 5)
    assert.strictEqual(found[0], "orders-7")
  })

  it("is quick for long names and many of them", () => {
    const many = Array.from({ length: 2000 }, (_, i) => `${"t".repeat(249)}${i}`)
    assert.isAtMost(nearNames("t".repeat(100_000), many).length, 5)
  })
})
