/** Aligned columns for people. Pure. */
import * as CliOutput from "effect/cli/CliOutput"
import { type Paint, safe } from "./paint.ts"

export interface Column<Row> {
  readonly title: string
  readonly value: (row: Row) => string | number | bigint
  readonly align?: "right" | undefined
  readonly paint?: ((row: Row) => keyof Paint | undefined) | undefined
}

/** What most cells are made of needs no look at graphemes: a table may have 10,000 rows. */
const isAscii = /^[\u0020-\u007e]*$/

const displayWidth = (text: string): number => isAscii.test(text) ? text.length : CliOutput.displayWidth(text)

const pad = (text: string, painted: string, width: number, align: "right" | undefined): string => {
  const space = " ".repeat(Math.max(0, width - displayWidth(text)))
  return align === "right" ? space + painted : painted + space
}

/** A line of titles and one for each row; numbers to the right, no space at the ends of lines. */
export const table = <Row>(paint: Paint, columns: ReadonlyArray<Column<Row>>, rows: ReadonlyArray<Row>): string => {
  const texts = rows.map((row) => columns.map(({ value }) => safe(String(value(row)))))
  const widths = columns.map(({ title }, i) =>
    texts.reduce((width, row) => Math.max(width, displayWidth(row[i]!)), title.length)
  )
  const line = (cells: ReadonlyArray<string>, colour: (i: number) => (text: string) => string) =>
    cells.map((cell, i) => pad(cell, colour(i)(cell), widths[i]!, columns[i]!.align)).join("  ").trimEnd()
  return [
    line(columns.map(({ title }) => title), () => paint.bold),
    ...rows.map((row, r) =>
      line(texts[r]!, (i) => {
        const colour = columns[i]!.paint?.(row)
        return colour === undefined ? (text) => text : paint[colour]
      })
    )
  ].join("\n")
}

/** Names and values, one a line, the values below each other. */
export const fields = (paint: Paint, pairs: ReadonlyArray<readonly [name: string, value: string]>): string => {
  const width = pairs.reduce((widest, [name]) => Math.max(widest, name.length), 0)
  return pairs.map(([name, value]) => `${paint.dim(`${name}:`.padEnd(width + 2))} ${value}`.trimEnd()).join("\n")
}

/** `1 member`, `2 members`. */
export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`
