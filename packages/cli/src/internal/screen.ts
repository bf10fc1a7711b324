/** A text drawn over the one before it. Pure: what is sent to the terminal. */
import * as CliOutput from "effect/cli/CliOutput"

export interface Size {
  readonly rows: number
  readonly columns: number
}

const escape = "\u001b["
const graphemes = new Intl.Segmenter()

/** The cursor in the way of a table is in the way of its reader. */
export const begin = `${escape}?25l${escape}2J`
export const end = `${escape}?25h`

/** As much of a line as there is room for; colours take none. */
export const cut = (line: string, columns: number): string => {
  if (CliOutput.displayWidth(line) <= columns) return line
  let room = columns - 1
  let text = ""
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    if (part.startsWith(escape)) {
      text += part
      continue
    }
    for (const { segment } of graphemes.segment(part)) {
      room -= CliOutput.displayWidth(segment)
      if (room < 0) return `${text}…${line.includes(escape) ? `${escape}0m` : ""}`
      text += segment
    }
  }
  return text
}

/** What is beyond the last row would scroll, and be drawn twice: it is counted instead. */
const fitting = (lines: ReadonlyArray<string>, rows: number): ReadonlyArray<string> =>
  lines.length <= rows ? lines : [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines`]

/** Draws a text from the top left on; a terminal that does not tell its size gets all of it. */
export const frame = (text: string, { columns, rows }: Size): string => {
  const lines = text.split("\n")
  // The line break after the last line takes a row, too.
  const shown = rows > 1 ? fitting(lines, rows - 1) : lines
  const drawn = shown.map((line) => `${columns > 0 ? cut(line, columns) : line}${escape}K`).join("\n")
  return `${escape}H${drawn}${escape}J`
}
