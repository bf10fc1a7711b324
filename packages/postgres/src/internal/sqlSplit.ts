/**
 * Splits the text of a .sql file into its statements, as psql would: the server takes one statement at a time.
 * Pure.
 */

const identifierStart = /[A-Za-z_\u0080-\uffff]/
const identifierPart = /[A-Za-z0-9_$\u0080-\uffff]/

/** The index after a quoted text that begins at `from`; a doubled quote stays inside, and so does an escaped one. */
const afterQuoted = (text: string, from: number, quote: string, escapes: boolean): number => {
  let i = from + 1
  while (i < text.length) {
    if (escapes && text[i] === "\\") i += 2
    else if (text[i] !== quote) i++
    else if (text[i + 1] === quote) i += 2
    else return i + 1
  }
  return text.length
}

const afterLine = (text: string, from: number): number => {
  const end = text.indexOf("\n", from)
  return end < 0 ? text.length : end + 1
}

/** Block comments nest in PostgreSQL. */
const afterComment = (text: string, from: number): number => {
  let depth = 0
  let i = from
  while (i < text.length) {
    if (text.startsWith("/*", i)) {
      depth++
      i += 2
    } else if (text.startsWith("*/", i)) {
      depth--
      i += 2
      if (depth === 0) return i
    } else i++
  }
  return text.length
}

const dollarTag = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y

const afterDollarQuoted = (text: string, from: number): number | undefined => {
  dollarTag.lastIndex = from
  const tag = dollarTag.exec(text)?.[0]
  if (tag === undefined) return undefined
  const end = text.indexOf(tag, from + tag.length)
  return end < 0 ? text.length : end + tag.length
}

/**
 * The statements of a text, without their semicolons, in order; what holds nothing but space and comments is none.
 * Semicolons inside of quotes, dollar quotes, comments, parentheses and `BEGIN ATOMIC ... END` do not split.
 */
export const sqlSplit = (text: string): ReadonlyArray<string> => {
  const statements: Array<string> = []
  let start = 0
  let parentheses = 0
  let blocks = 0
  let hasCode = false
  let word = ""
  let i = 0

  const finish = (end: number) => {
    if (hasCode) statements.push(text.slice(start, end).trim())
    start = end + 1
    parentheses = 0
    blocks = 0
    hasCode = false
    word = ""
  }

  while (i < text.length) {
    const char = text[i]!
    if (text.startsWith("--", i)) {
      i = afterLine(text, i)
      continue
    }
    if (text.startsWith("/*", i)) {
      i = afterComment(text, i)
      continue
    }
    if (char === ";" && parentheses <= 0 && blocks === 0) {
      finish(i)
      i++
      continue
    }
    if (/\s/.test(char)) {
      i++
      continue
    }
    hasCode = true
    if (char === "'" || char === "\"") {
      i = afterQuoted(text, i, char, false)
    } else if (char === "$") {
      i = afterDollarQuoted(text, i) ?? i + 1
    } else if (identifierStart.test(char)) {
      const from = i
      while (i < text.length && identifierPart.test(text[i]!)) i++
      const before = word
      word = text.slice(from, i).toLowerCase()
      if (word === "e" && text[i] === "'") i = afterQuoted(text, i, "'", true)
      if (before === "begin" && word === "atomic") blocks = 1
      else if (blocks > 0 && word === "case") blocks++
      else if (blocks > 0 && word === "end") blocks--
      continue
    } else if (/[0-9]/.test(char)) {
      // A number or a parameter takes a dollar sign with it: $1$ opens no quote.
      while (i < text.length && identifierPart.test(text[i]!)) i++
    } else {
      if (char === "(") parentheses++
      if (char === ")") parentheses--
      i++
    }
    word = ""
  }
  finish(text.length)
  return statements
}

/** Whether a statement would end the transaction around it. */
export const isTransactionControl = (statement: string): boolean => {
  let i = 0
  while (i < statement.length) {
    if (/\s/.test(statement[i]!)) i++
    else if (statement.startsWith("--", i)) i = afterLine(statement, i)
    else if (statement.startsWith("/*", i)) i = afterComment(statement, i)
    else break
  }
  return /^(begin|commit|rollback(?!\s+(work\s+|transaction\s+)?to\b)|end|abort|start\s+transaction|prepare\s+transaction)\b/i
    .test(statement.slice(i))
}
