/** Curves and points over a logarithmic axis, as an SVG that a page shows in light and in dark. Pure. */
import type { Spread } from "./Comparison.ts"
import { escaped, grey, picture } from "./svg.ts"
import { readable } from "./tables.ts"

export interface Point extends Spread {
  readonly x: number
  /** Beside the point. */
  readonly label?: string | undefined
}

export interface Series {
  readonly name: string
  readonly points: ReadonlyArray<Point>
}

export interface Axes {
  /** What they show, with the unit. */
  readonly x: string
  readonly y: string
  /**
   * Both axes have the same unit: y is logarithmic as well, points are not joined, and a line is where y is x. Else y
   * begins at 0, so that what is flat looks flat.
   */
  readonly isIdentityShown?: boolean | undefined
}

const width = 760
const height = 380
const left = 84
const right = width - 24
const top = 44
const bottom = height - 62
const colors = ["#2f81f7", "#f0883e", "#3fb950", "#a371f7", grey]

const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 2 })

type Scale = (value: number) => number

const linear = (most: number, from: number, to: number): Scale => (value) => from + value / most * (to - from)

const logarithmic = (least: number, most: number, from: number, to: number): Scale => {
  const range = Math.log(most / least) || 1
  return (value) => from + Math.log(value / least) / range * (to - from)
}

/** The next larger of 1, 2 and 5 times a power of ten. */
const round = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 5].find((factor) => factor * power >= value) ?? 10)
}

/** Of an axis from 0: at most six steps. */
const steps = (most: number): ReadonlyArray<number> => {
  const step = round(most / 5)
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, i) => i * step)
}

/** Of a logarithmic axis: powers of two where it is short, else of ten. */
const powers = (least: number, most: number): ReadonlyArray<number> => {
  const base = most / least < 1_000 ? 2 : 10
  const from = Math.floor(Math.log(least) / Math.log(base) + 1e-9)
  const to = Math.ceil(Math.log(most) / Math.log(base) - 1e-9)
  return Array.from({ length: to - from + 1 }, (_, i) => base ** (from + i))
}

const at = (value: number): string => value.toFixed(1)

/** So that it stays within the picture. */
const anchorAt = (x: number): string => {
  const share = (x - left) / (right - left)
  return share < 0.3 ? "start" : share > 0.7 ? "end" : "middle"
}

export const curve = (title: string, axes: Axes, series: ReadonlyArray<Series>): string => {
  const identity = axes.isIdentityShown === true
  const points = series.flatMap((one) => one.points)
  const xs = points.map((point) => point.x)
  const highest = Math.max(...points.map(({ most }) => most))
  // Whoever asks for the identity compares the two: they have one range.
  const range = identity ? [...xs, ...points.map(({ least }) => least), highest] : xs
  const xTicks = identity
    ? powers(Math.min(...range), Math.max(...range))
    : [...new Set(xs)].sort((a, b) => a - b)
  const first = xTicks[0]!
  const last = xTicks.at(-1)!
  const yTicks = identity ? xTicks : steps(highest)
  const x = logarithmic(first, last, left, right)
  const y = identity ? logarithmic(first, last, bottom, top) : linear(yTicks.at(-1)!, bottom, top)
  const grid = yTicks.map((tick) => {
    const level = at(y(tick))
    return [
      `  <line x1="${left}" y1="${level}" x2="${right}" y2="${level}" stroke="${grey}" stroke-opacity="0.25"/>`,
      `  <text x="${left - 8}" y="${at(y(tick) + 4)}" text-anchor="end">${short.format(tick)}</text>`
    ].join("\n")
  })
  const marks = xTicks.map((tick) =>
    `  <text x="${at(x(tick))}" y="${bottom + 18}" text-anchor="middle">${short.format(tick)}</text>`
  )
  const drawn = series.map(({ name, points }, index) => {
    const color = colors[index % colors.length]!
    const sorted = [...points].sort((a, b) => a.x - b.x)
    return [
      ...(identity ? [] : [
        `  <polyline points="${
          sorted.map((point) => `${at(x(point.x))},${at(y(point.middle))}`).join(" ")
        }" fill="none" stroke="${color}" stroke-width="2"/>`
      ]),
      ...sorted.map((point) => {
        const [px, py] = [at(x(point.x)), at(y(point.middle))]
        return [
          `  <line x1="${px}" y1="${at(y(point.least))}" x2="${px}" y2="${at(y(point.most))}" stroke="${color}"/>`,
          `  <circle cx="${px}" cy="${py}" r="3.5" fill="${color}"><title>${
            escaped(`${point.label ?? name}: ${readable(point.middle)} at ${readable(point.x)}`)
          }</title></circle>`,
          ...(point.label === undefined ? [] : [
            `  <text x="${px}" y="${at(y(point.middle) + 16)}" text-anchor="${anchorAt(x(point.x))}" font-size="10">${
              escaped(point.label)
            }</text>`
          ])
        ].join("\n")
      }),
      `  <circle cx="${left + index * 220}" cy="31" r="4" fill="${color}"/>`,
      `  <text x="${left + 9 + index * 220}" y="35">${escaped(name)}</text>`
    ].join("\n")
  })
  const line = identity
    ? [
      `  <line x1="${left}" y1="${bottom}" x2="${right}" y2="${top}" stroke="${grey}" stroke-dasharray="4 4"/>`,
      `  <text x="${right - 6}" y="${top + 24}" text-anchor="end">y = x</text>`
    ]
    : []
  return picture({ title, width, height }, [
    ...grid,
    ...marks,
    ...line,
    ...drawn,
    `  <text x="${(left + right) / 2}" y="${height - 24}" text-anchor="middle">${escaped(axes.x)}</text>`,
    `  <text transform="translate(18 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(axes.y)}</text>`
  ])
}
