import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { checksum } from "../src/internal/migrationFiles.ts"
import { idOf, type MigrationFile, plan } from "../src/internal/migrationPlan.ts"

const file = (id: number, sql = "SELECT 1"): MigrationFile => ({
  id,
  name: `${id}_x.sql`,
  checksum: checksum(sql),
  sql
})

describe("migrationPlan", () => {
  it("runs what is new, in the order of the numbers", () => {
    assert.deepStrictEqual(plan([file(41), file(38), file(100)], [file(38)]), {
      _tag: "Plan",
      run: [file(41), file(100)],
      unknown: []
    })
  })

  it("knows what a newer version applied, and lets it be", () => {
    assert.deepStrictEqual(plan([file(38)], [file(38), file(41)]), { _tag: "Plan", run: [], unknown: [file(41)] })
  })

  it.each(
    [
      ["a late lower number", [file(38), file(40), file(41)], [file(38), file(41)], "Late", "40_x.sql"],
      ["a changed file", [file(38, "SELECT 2")], [file(38)], "Changed", "38_x.sql"],
      ["a number given twice", [file(38), { ...file(38), name: "0038_y.sql" }], [], "Duplicate", "0038_y.sql"]
    ] as const
  )("refuses %s", (_, files, applied, kind, name) => {
    const answer = plan(files, applied)
    assert.strictEqual(answer._tag, "Refused")
    if (answer._tag === "Refused") assert.deepInclude(answer.fault, { kind, file: name })
  })

  it("reads the number from the name, or says how names look", () => {
    assert.strictEqual(idOf("0038_add_consumer_configurations.sql"), 38)
    for (const name of ["add.sql", "38.sql", "0038_a b.sql", "38_a.SQL", "-1_a.sql", "1234567890_a.sql"]) {
      assert.deepInclude(idOf(name), { kind: "BadName", file: name })
    }
  })

  it("has one checksum for both kinds of line ends, and another for each text", () => {
    assert.strictEqual(checksum("a\r\nb"), checksum("a\nb"))
    assert.notStrictEqual(checksum("a\nb"), checksum("a b"))
  })

  it("after what a plan ran, there is nothing to run", () => {
    const ids = fc.uniqueArray(fc.nat(50), { maxLength: 10 })
    fc.assert(fc.property(ids, ids, (there, more) => {
      const files = [...new Set([...there, ...more])].map((id) => file(id))
      const first = plan(files, there.map((id) => file(id)))
      if (first._tag === "Refused") {
        assert.isTrue(more.some((id) => !there.includes(id) && id < Math.max(...there)))
      } else {
        assert.deepStrictEqual(plan(files, [...there.map((id) => file(id)), ...first.run]), {
          _tag: "Plan",
          run: [],
          unknown: []
        })
      }
    }))
  })
})
