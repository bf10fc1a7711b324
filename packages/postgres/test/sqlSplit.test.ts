import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { readdirSync, readFileSync } from "node:fs"
import { isTransactionControl, sqlSplit } from "../src/internal/sqlSplit.ts"

describe("sqlSplit", () => {
  const cases: ReadonlyArray<readonly [string, string, ReadonlyArray<string>]> = [
    ["nothing", " \n-- only words\n/* and ; more */ ;;", []],
    ["two statements, the last without a semicolon", "SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]],
    ["a string with a semicolon and a doubled quote", "SELECT 'a;''b;'; SELECT 2", ["SELECT 'a;''b;'", "SELECT 2"]],
    ["a backslash is no escape in a plain string", "SELECT 'a\\'; SELECT 2", ["SELECT 'a\\'", "SELECT 2"]],
    ["and is one in an E string", "SELECT E'a\\';b'; SELECT 2", ["SELECT E'a\\';b'", "SELECT 2"]],
    ["a name that ends in e begins no E string", "SELECT date'a\\'; SELECT 2", ["SELECT date'a\\'", "SELECT 2"]],
    ["a quoted name", "SELECT \"a;\"\"b;\"; SELECT 2", ["SELECT \"a;\"\"b;\"", "SELECT 2"]],
    ["a dollar quote", "DO $$ BEGIN; END $$; SELECT 2", ["DO $$ BEGIN; END $$", "SELECT 2"]],
    ["dollar quotes with tags inside of one another", "SELECT $a$ $b$;$b$ $$;$$ $a$; SELECT 2", [
      "SELECT $a$ $b$;$b$ $$;$$ $a$",
      "SELECT 2"
    ]],
    ["parameters are no dollar quotes", "SELECT $1; SELECT $2", ["SELECT $1", "SELECT $2"]],
    ["names may hold dollars", "SELECT a$b$; SELECT c$b$", ["SELECT a$b$", "SELECT c$b$"]],
    ["comments that nest", "SELECT /* a /* ; */ ; */ 1; SELECT 2", ["SELECT /* a /* ; */ ; */ 1", "SELECT 2"]],
    ["a line comment", "SELECT 1 -- ; '\n; SELECT 2", ["SELECT 1 -- ; '", "SELECT 2"]],
    ["parentheses", "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3", [
      "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)",
      "SELECT 3"
    ]],
    [
      "the body of an SQL function",
      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END; SELECT 3",
      ["CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END", "SELECT 3"]
    ],
    ["an end that never comes takes the rest", "SELECT 'a; SELECT 2", ["SELECT 'a; SELECT 2"]]
  ]
  it.each(cases)("%s", (_, text, expected) => assert.deepStrictEqual(sqlSplit(text), expected))

  it("any statements come back from their text", () => {
    const piece = fc.oneof(
      fc.constantFrom("SELECT", "x", "1", ",", "+", "(a; b)", "$1", "\n", "-- c;\n", "/* d; /* e; */ */"),
      fc.string().map((text) => `'${text.replaceAll("'", "''")}'`),
      fc.string().map((text) => `"${text.replaceAll("\"", "\"\"")}"`),
      fc.string().map((text) => `$q$${text.replaceAll("$", "")}$q$`),
      fc.string().map((text) => `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`)
    )
    const statement = fc.array(piece, { maxLength: 8 }).map((pieces) => `SELECT ${pieces.join(" ")} AS x`)
    fc.assert(fc.property(fc.array(statement, { maxLength: 5 }), (statements) => {
      assert.deepStrictEqual(sqlSplit(statements.join(";\n")), statements)
    }))
  })

  it("statements of any text, joined, split into the same statements", () => {
    const text = fc.array(
      fc.oneof(fc.constantFrom(";", "'", "\"", "$a$", "$$", "--", "/*", "*/", "(", "\n", "E'"), fc.string())
    )
    fc.assert(fc.property(text, (pieces) => {
      const statements = sqlSplit(pieces.join(""))
      // On a line of its own, as a statement may end in a comment.
      assert.deepStrictEqual(sqlSplit(statements.join("\n;\n")), statements)
    }))
  })

  it("Weft's own migrations are no transactions of their own", () => {
    const folder = new URL("../../../migrations/", import.meta.url)
    for (const file of readdirSync(folder)) {
      const statements = sqlSplit(readFileSync(new URL(file, folder), "utf8"))
      assert.isAbove(statements.length, 1)
      assert.isFalse(statements.some(isTransactionControl), file)
    }
  })
})

describe("isTransactionControl", () => {
  it.each(["BEGIN", "commit;", "/* x */ ROLLBACK", "-- y\nEND", "start  transaction", "ABORT"])(
    "%s is",
    (statement) => assert.isTrue(isTransactionControl(statement))
  )
  it.each(["SELECT 1", "ROLLBACK TO SAVEPOINT a", "SAVEPOINT a", "CREATE TABLE begin_x ()", "DO $$ BEGIN END $$"])(
    "%s is not",
    (statement) => assert.isFalse(isTransactionControl(statement))
  )
})
