import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { parseDuration } from "../src/internal/durations.ts"
import { coloured } from "../src/internal/paint.ts"
import * as Screen from "../src/internal/screen.ts"

/** What is on a terminal after all of it was written: only what `Screen` sends is understood. */
const shown = (written: ReadonlyArray<string>, rows: number): ReadonlyArray<string> => {
  let lines: Array<string> = Array.from({ length: rows }, () => "old".repeat(9))
  let row = 0
  for (const text of written) {
    for (const [token] of text.matchAll(/\u001b\[(?:H|K|J|2J|\?25[lh]|\d+m)|\n|[^\u001b\n]+/g)) {
      switch (token) {
        case "\u001b[H":
          row = 0
          break
        case "\u001b[2J":
          lines = lines.map(() => "")
          break
        case "\u001b[J":
          lines = lines.map((line, i) => i > row ? "" : line)
          break
        case "\u001b[K":
        case "\u001b[?25l":
        case "\u001b[?25h":
          break
        case "\n":
          row++
          // The terminal scrolls.
          if (row >= rows) {
            lines = [...lines.slice(1), ""]
            row = rows - 1
          }
          break
        default:
          if (!token.startsWith("\u001b")) lines[row] = token
      }
    }
  }
  return lines.map((line) => line.trimEnd())
}

describe("a screen that is drawn over", () => {
  const size = { rows: 6, columns: 20 }

  it("shows the last text, and nothing of the one before", () => {
    const first = `${Screen.begin}${Screen.frame("one\ntwo\nthree", size)}\n`
    assert.deepStrictEqual(shown([first], 6), ["one", "two", "three", "", "", ""])
    assert.deepStrictEqual(shown([first, `${Screen.frame("1", size)}\n`], 6), ["1", "", "", "", "", ""])
  })

  it("never scrolls: what has no room is counted", () => {
    const long = Array.from({ length: 50 }, (_, i) => `line ${i}`).join("\n")
    const drawn = `${Screen.frame(long, size)}\n`
    assert.deepStrictEqual(
      shown([drawn, drawn], 6),
      ["line 0", "line 1", "line 2", "line 3", "… 46 more lines", ""]
    )
  })

  it("cuts a line that would wrap, and leaves no colour behind", () => {
    assert.strictEqual(Screen.cut("short", 20), "short")
    assert.strictEqual(Screen.cut("abcdefghij", 5), "abcd…")
    assert.strictEqual(Screen.cut("ファイル", 5), "ファ…")
    assert.strictEqual(Screen.cut(coloured.red("abcdefghij"), 5), "\u001b[31mabcd…\u001b[0m")
  })

  it("draws everything where the terminal does not tell its size", () => {
    assert.strictEqual(Screen.frame("a\nb", { rows: 0, columns: 0 }), "\u001b[Ha\u001b[K\nb\u001b[K\u001b[J")
  })
})

describe("durations", () => {
  it("are read with their unit", () => {
    const millis = (text: string) => Option.getOrUndefined(Option.map(parseDuration(text), Duration.toMillis))
    assert.deepStrictEqual(
      ["500ms", "30s", "1.5m", "2 h", "7d", "30", "0s", "-1s", "soon", ""].map(millis),
      [500, 30_000, 90_000, 7_200_000, 604_800_000, undefined, undefined, undefined, undefined, undefined]
    )
  })
})
