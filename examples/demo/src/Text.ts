/** Styled text of a known width, so that columns stay aligned whatever the colours. Pure. */

export type Style = "plain" | "bold" | "dim" | "red" | "green" | "yellow" | "cyan"

/** A piece of text in one style. */
export interface Span {
  readonly text: string
  readonly style: Style
}

export type Line = ReadonlyArray<Span>

const codes: Readonly<Record<Style, string>> = {
  plain: "",
  bold: "\u001b[1m",
  dim: "\u001b[2m",
  red: "\u001b[31m",
  green: "\u001b[32m",
  yellow: "\u001b[33m",
  cyan: "\u001b[36m"
}

export const span = (text: string, style: Style = "plain"): Span => ({ text, style })

export const widthOf = (line: Line): number => line.reduce((width, { text }) => width + text.length, 0)

/** Exactly this wide: cut with an ellipsis, or filled up. */
export const fit = (text: string, width: number): string =>
  text.length <= width ? text.padEnd(width) : width < 1 ? "" : `${text.slice(0, width - 1)}…`

export const fitLine = (line: Line, width: number): Line => {
  const fitted: Array<Span> = []
  let room = width
  for (const { style, text } of line) {
    if (room <= 0) break
    const cut = text.length <= room ? text : fit(text, room)
    fitted.push({ text: cut, style })
    room -= cut.length
  }
  if (room > 0) fitted.push(span(" ".repeat(room)))
  return fitted
}

/** Left and right, with what is left of the width between them. */
export const spread = (left: Line, right: Line, width: number): Line => {
  const room = width - widthOf(right)
  return room < 1 ? fitLine(left, width) : [...fitLine(left, room), ...right]
}

export const toAnsi = (line: Line, hasColor: boolean): string =>
  line.map(({ style, text }) => (hasColor && style !== "plain" ? `${codes[style]}${text}\u001b[0m` : text)).join("")

const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

/** A bar that is full at `of`. */
export const bar = (value: number, of: number, width: number): string => {
  const filled = of <= 0 ? 0 : Math.round(Math.min(1, Math.max(0, value / of)) * width * 8)
  // A little is not nothing.
  const shown = value > 0 ? Math.max(1, filled) : filled
  return ("█".repeat(shown >> 3) + eighths[shown & 7]!).padEnd(width)
}

const heights = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

/** One column for each value, the newest at the right. Heights grow with the square root, so that a burst flattens nothing. */
export const sparkline = (values: ReadonlyArray<number>, width: number): string => {
  const shown = values.slice(-width)
  const highest = Math.max(1, ...shown)
  return shown.map((value) => heights[Math.min(7, Math.floor(Math.sqrt(value / highest) * 7.999))]!).join("").padStart(
    width
  )
}

const wholeNumbers = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })

export const number = (value: number | bigint): string => wholeNumbers.format(value)

/** Minutes and seconds. */
export const clock = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`
}
