/**
 * What a URL of a PostgreSQL database says, found out before the first connection. Pure.
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Redacted from "effect/Redacted"

const decodes = (text: string): boolean => {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

const modes: ReadonlySet<string> = new Set(["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])

/** A clause that follows the variable's name, without any part of the text that may be a password. */
export const urlFault = (text: string): string | undefined => {
  if (!URL.canParse(text)) return "is not a URL"
  const url = new URL(text)
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") {
    return `begins with ${url.protocol} and not with postgres:`
  }
  if (![url.username, url.password, url.hostname, url.pathname].every(decodes)) {
    return "holds a % that is not followed by two hexadecimal digits (write %25 for a percent sign)"
  }
  const mode = url.searchParams.get("sslmode")
  if (mode !== null && !modes.has(mode)) return "has an sslmode that PostgreSQL does not know"
  const port = url.searchParams.get("port")
  if (url.port === "0" || port !== null && !/^[1-9]\d{0,4}$/.test(port)) return "has a port that is no port"
  const timeout = url.searchParams.get("connect_timeout")
  if (timeout !== null && !/^\d+$/.test(timeout)) return "has a connect_timeout that is no number of seconds"
  return undefined
}

/** `host:port/database`, by which one database is told from another; it holds no user and no password. */
export const databaseName = (config: PgConnection.Config): string => {
  const text = config.url === undefined ? "" : String(Redacted.value(config.url))
  const url = URL.canParse(text) ? new URL(text) : undefined
  const host = config.host ?? config.path ?? (url?.hostname || "localhost")
  const port = config.port ?? (url?.port || 5432)
  const database = config.database ?? (url === undefined ? "" : decodeURIComponent(url.pathname.slice(1)))
  return `${host}:${port}/${database}`
}
