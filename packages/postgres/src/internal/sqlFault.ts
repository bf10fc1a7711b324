/**
 * What an error of the database means for reading a configuration. Pure; a table test holds each code.
 */
import type * as ConfigIssue from "@weft/config/ConfigIssue"
import type { SqlError } from "effect/sql/SqlError"

const field = (cause: unknown, name: string): string | undefined => {
  if (typeof cause !== "object" || cause === null) return undefined
  const value = (cause as Record<string, unknown>)[name]
  return typeof value === "string" && value !== "" ? value : undefined
}

/** PostgreSQL's five characters, where the server has answered. */
export const sqlStateOf = (error: SqlError): string | undefined => {
  const code = field(error.reason.cause, "code")
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

export const isMissingTable = (error: SqlError): boolean => sqlStateOf(error) === "42P01"

/** A table or a column is missing: a migration has not run. */
export const isOlderSchema = (error: SqlError): boolean => ["42P01", "42703"].includes(sqlStateOf(error) ?? "")

/** What went wrong in one line: the server's own words, or the operating system's. */
export const detailOf = (error: SqlError): string => {
  const { cause } = error.reason
  const told = field(cause, "message") ?? field(cause, "code")
  const state = sqlStateOf(error)
  if (told === undefined) return error.message
  return state === undefined ? told : `${told} (${state})`
}

/** The server cannot be talked to: it stops, starts, is full, or the database or login does not exist. */
const awayStates: ReadonlySet<string> = new Set(["57P01", "57P02", "57P03", "57P05", "53300", "3D000"])

export const noRow = (service: string, error: SqlError, timeoutMs: number): ConfigIssue.NoRow => {
  const state = sqlStateOf(error)
  if (isMissingTable(error)) return { _tag: "MissingTable", service }
  if (state !== undefined && awayStates.has(state)) {
    return { _tag: "DatabaseUnreachable", service, detail: detailOf(error) }
  }
  switch (error.reason._tag) {
    case "ConnectionError":
    case "AuthenticationError":
      return { _tag: "DatabaseUnreachable", service, detail: detailOf(error) }
    case "StatementTimeoutError":
    case "LockTimeoutError":
      return { _tag: "DatabaseTimeout", service, timeoutMs }
    default:
      return { _tag: "QueryFailed", service, detail: detailOf(error) }
  }
}
