/**
 * Why a text is no URL of a PostgreSQL database, found out before the first connection. Pure.
 */

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
