/** A terminal as a screen: frames are drawn in place, and what was there before comes back at the end. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Line, toAnsi } from "./Text.ts"
import type { Size } from "./View.ts"

export interface Screen {
  readonly size: () => Size
  readonly draw: (lines: ReadonlyArray<Line>) => void
}

const enter = "\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J"
const leave = "\u001b[?7h\u001b[?25h\u001b[?1049l"
/** Terminals that know it show what is between the two at once. */
const begin = "\u001b[?2026h"
const end = "\u001b[?2026l"

export const open = (
  terminal: NodeJS.WriteStream,
  hasColor: boolean
): Effect.Effect<Screen, never, Scope.Scope> =>
  Effect.gen(function*() {
    let shown: ReadonlyArray<string> = []
    const forget = () => {
      shown = []
    }
    // However the process ends, the terminal is given back.
    const restore = () => terminal.write(leave)
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        terminal.write(enter)
        terminal.on("resize", forget)
        process.once("exit", restore)
      }),
      () =>
        Effect.sync(() => {
          process.removeListener("exit", restore)
          terminal.removeListener("resize", forget)
          restore()
        })
    )
    return {
      size: () => ({ columns: terminal.columns, rows: terminal.rows }),
      draw: (lines) => {
        const next = lines.map((line) => toAnsi(line, hasColor))
        const isNew = shown.length !== next.length
        // Only lines that differ are written: a line that is not touched cannot flicker.
        const changes = next.flatMap((text, row) => text === shown[row] ? [] : [`\u001b[${row + 1};1H${text}`])
        shown = next
        terminal.write(`${begin}${isNew ? "\u001b[2J" : ""}${changes.join("")}${end}`)
      }
    }
  })
