/** Bars, as an SVG that a page shows in light and in dark. Pure. */
import type { Summary } from "./Comparison.ts"

const lineHeight = 26
const labelWidth = 230
const barWidth = 420
const width = labelWidth + barWidth + 110
const top = 34

const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })

/** A bar for each contender: its median; the thin line is from its slowest to its fastest round. */
export const bars = (title: string, summaries: ReadonlyArray<Summary>): string => {
  const longest = Math.max(...summaries.map(({ spread }) => spread[1]))
  const x = (rate: number) => labelWidth + rate / longest * barWidth
  const line = ({ name, recordsPerSecond, spread: [slowest, fastest] }: Summary, index: number) => {
    const y = top + index * lineHeight
    const middle = y + 9
    return [
      `  <text x="${labelWidth - 8}" y="${y + 13}" text-anchor="end">${escaped(name)}</text>`,
      `  <rect x="${labelWidth}" y="${y}" width="${
        (x(recordsPerSecond) - labelWidth).toFixed(1)
      }" height="18" rx="2" fill="${name.startsWith("weft") ? "#2f81f7" : "#8b949e"}"/>`,
      `  <line x1="${x(slowest).toFixed(1)}" y1="${middle}" x2="${
        x(fastest).toFixed(1)
      }" y2="${middle}" stroke="#f0883e" stroke-width="2"/>`,
      `  <text x="${(x(fastest) + 6).toFixed(1)}" y="${y + 13}">${whole.format(recordsPerSecond)}</text>`
    ].join("\n")
  }
  const height = top + summaries.length * lineHeight + 8
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="#8b949e">`,
    `  <title>${escaped(title)}</title>`,
    `  <text x="8" y="18" font-size="14">${escaped(title)}</text>`,
    ...summaries.map(line),
    "</svg>",
    ""
  ].join("\n")
}
