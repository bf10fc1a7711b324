/** Bars, as an SVG that a page shows in light and in dark. Pure. */
import type { Spread } from "./Comparison.ts"
import { escaped, grey, picture } from "./svg.ts"
import { readable } from "./tables.ts"

export interface Bar extends Spread {
  readonly name: string
}

const lineHeight = 26
const labelWidth = 230
const barWidth = 420
const width = labelWidth + barWidth + 110
const top = 34

/** A bar for each contender: its median; the thin line is from its slowest to its fastest round. */
export const bars = (title: string, rows: ReadonlyArray<Bar>): string => {
  const longest = Math.max(...rows.map(({ most }) => most))
  const x = (value: number) => labelWidth + value / longest * barWidth
  const line = ({ least, middle, most, name }: Bar, index: number) => {
    const y = top + index * lineHeight
    const height = y + 9
    return [
      `  <text x="${labelWidth - 8}" y="${y + 13}" text-anchor="end">${escaped(name)}</text>`,
      `  <rect x="${labelWidth}" y="${y}" width="${(x(middle) - labelWidth).toFixed(1)}" height="18" rx="2" fill="${
        name.startsWith("weft") ? "#2f81f7" : grey
      }"/>`,
      `  <line x1="${x(least).toFixed(1)}" y1="${height}" x2="${
        x(most).toFixed(1)
      }" y2="${height}" stroke="#f0883e" stroke-width="2"/>`,
      `  <text x="${(x(most) + 6).toFixed(1)}" y="${y + 13}">${readable(middle)}</text>`
    ].join("\n")
  }
  const height = top + rows.length * lineHeight + 8
  return picture({ title, width, height }, rows.map(line))
}
