import { assert, describe, it } from "@effect/vitest"
import { parse } from "../src/Flags.ts"

describe("the flags", () => {
  it("have defaults", () => {
    assert.deepStrictEqual(parse([]), { kafka: false, seconds: 60, plain: false })
  })

  it("are taken", () => {
    assert.deepStrictEqual(parse(["--kafka", "--seconds", "5", "--plain"]), { kafka: true, seconds: 5, plain: true })
    assert.strictEqual(parse(["--help"]), "help")
  })

  it("are refused by name", () => {
    for (const seconds of ["0", "-1", "1.5", "soon", "86401"]) {
      const found = parse([`--seconds=${seconds}`])
      assert.deepStrictEqual(found, { fault: `--seconds takes a whole number from 1 to 86400, not "${seconds}"` })
    }
    assert.match(JSON.stringify(parse(["--quick"])), /--quick/)
    assert.match(JSON.stringify(parse(["now"])), /now/)
  })
})
