import { assert, describe, it } from "@effect/vitest"
import * as E from "effect/sql/SqlError"
import { detailOf, noRow } from "../src/internal/sqlFault.ts"

const server = (code: string, message = "words of the server") => Object.assign(new Error(message), { code })
const error = (reason: E.SqlErrorReason) => new E.SqlError({ reason })

describe("sqlFault", () => {
  const cases: ReadonlyArray<readonly [string, E.SqlErrorReason, string]> = [
    ["42P01, no such table", new E.SqlSyntaxError({ cause: server("42P01") }), "MissingTable"],
    ["42703, no such column", new E.SqlSyntaxError({ cause: server("42703") }), "QueryFailed"],
    ["42501, no permission", new E.AuthorizationError({ cause: server("42501") }), "QueryFailed"],
    ["28P01, a wrong password", new E.AuthenticationError({ cause: server("28P01") }), "DatabaseUnreachable"],
    ["3D000, no such database", new E.UnknownError({ cause: server("3D000") }), "DatabaseUnreachable"],
    ["53300, too many connections", new E.UnknownError({ cause: server("53300") }), "DatabaseUnreachable"],
    ["57P01, the server stops", new E.UnknownError({ cause: server("57P01") }), "DatabaseUnreachable"],
    ["57P03, the server starts", new E.UnknownError({ cause: server("57P03") }), "DatabaseUnreachable"],
    ["08006, the line is lost", new E.ConnectionError({ cause: server("08006") }), "DatabaseUnreachable"],
    ["a refused connection", new E.ConnectionError({ cause: server("ECONNREFUSED") }), "DatabaseUnreachable"],
    ["57014, a timeout of the server", new E.StatementTimeoutError({ cause: server("57014") }), "DatabaseTimeout"],
    ["55P03, a lock", new E.LockTimeoutError({ cause: server("55P03") }), "DatabaseTimeout"],
    ["something else", new E.UnknownError({ cause: "?" }), "QueryFailed"]
  ]
  it.each(cases)("%s", (_, reason, tag) => assert.strictEqual(noRow("svc", error(reason), 5000)._tag, tag))

  it("tells the server's own words and its code", () => {
    assert.strictEqual(detailOf(error(new E.UnknownError({ cause: server("57P01") }))), "words of the server (57P01)")
    assert.strictEqual(detailOf(error(new E.ConnectionError({ cause: server("ECONNREFUSED", "") }))), "ECONNREFUSED")
    assert.strictEqual(detailOf(error(new E.UnknownError({ cause: undefined, message: "lost" }))), "lost")
  })
})
