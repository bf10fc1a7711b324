import { assert, describe, it } from "@effect/vitest"
import { table } from "../src/Table.ts"

describe("a table", () => {
  it("has its columns in line, and numbers at the right", () => {
    const rows = [
      { service: "a", lag: 1234n, average: 1.2345, at: new Date(0) },
      { service: "longer", lag: 5n, average: 10, at: new Date(1000) }
    ]
    assert.deepStrictEqual(table(rows), [
      "service    lag  average  at",
      "a        1,234     1.23  1970-01-01 00:00:00",
      "longer       5       10  1970-01-01 00:00:01"
    ])
  })

  it("leaves empty what is not there", () => {
    assert.deepStrictEqual(table([{ a: null, b: "x" }, { a: "y", b: undefined }]), ["a  b", "   x", "y"])
    assert.deepStrictEqual(table([]), [""])
  })
})
