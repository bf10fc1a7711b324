import { assert, describe, it } from "@effect/vitest"
import { coloured, plain } from "../src/internal/paint.ts"
import { count, fields, table } from "../src/internal/table.ts"

interface Row {
  readonly name: string
  readonly lag: bigint
}

const columns = [
  { title: "NAME", value: (row: Row) => row.name, paint: () => "green" as const },
  { title: "LAG", value: (row: Row) => row.lag, align: "right" as const }
]

describe("table", () => {
  it("aligns columns, numbers to the right, without spaces at the ends of lines", () => {
    assert.strictEqual(
      table(plain, columns, [{ name: "orders", lag: 5n }, { name: "a", lag: 12_345n }]),
      "NAME      LAG\norders      5\na       12345"
    )
  })

  it("aligns by what is seen, not by the characters of colours or the width of a letter", () => {
    const painted = table(coloured, columns, [{ name: "位置", lag: 1n }, { name: "ab", lag: 2n }])
    // oxlint-disable-next-line no-control-regex -- that is what a colour is
    const seen = painted.replace(/\u001b\[\d+m/g, "").split("\n").slice(1)
    assert.deepStrictEqual(seen, ["位置    1", "ab      2"])
  })

  it("lets no name steer the terminal", () => {
    const text = table(plain, columns, [{ name: "\u001b[2J\nevil\u202e", lag: 0n }])
    assert.strictEqual(text.split("\n").length, 2)
    assert.notInclude(text, "\u001b")
    assert.include(text, "\\u001b[2J\\u000aevil\\u202e")
  })
})

describe("fields and counts", () => {
  it("puts values below each other", () => {
    assert.strictEqual(fields(plain, [["a", "1"], ["long", "2"]]), "a:     1\nlong:  2")
  })
  it("says one and many", () => {
    assert.deepStrictEqual([count(1, "record"), count(0, "record"), count(2, "entry", "entries")], [
      "1 record",
      "0 records",
      "2 entries"
    ])
  })
})
