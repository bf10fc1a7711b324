/** Rows as text in columns. Pure. */

type Cell = string | number | bigint | boolean | Date | null | undefined

const numbers = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 })

const shown = (cell: Cell): string => {
  if (cell === null || cell === undefined) return ""
  if (cell instanceof Date) return cell.toISOString().replace("T", " ").slice(0, 19)
  return typeof cell === "number" || typeof cell === "bigint" ? numbers.format(cell) : String(cell)
}

/** A header and a line for each row; numbers stand at the right of their column. */
export const table = (rows: ReadonlyArray<Readonly<Record<string, Cell>>>): ReadonlyArray<string> => {
  const names = Object.keys(rows[0] ?? {})
  const columns = names.map((name) => {
    const cells = rows.map((row) => shown(row[name]))
    const isNumeric = rows.every((row) => ["number", "bigint"].includes(typeof row[name]))
    return { name, cells, isNumeric, width: Math.max(name.length, ...cells.map((cell) => cell.length)) }
  })
  const line = (cellOf: (column: (typeof columns)[number]) => string) =>
    columns
      .map((column) => column.isNumeric ? cellOf(column).padStart(column.width) : cellOf(column).padEnd(column.width))
      .join("  ")
      .trimEnd()
  return [line(({ name }) => name), ...rows.map((_, i) => line(({ cells }) => cells[i]!))]
}
