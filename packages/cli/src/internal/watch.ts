/** Looks again and again: drawn in place on a terminal, one block after the other elsewhere, with `--json` a line each. */
import * as Flag from "effect/cli/Flag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Terminal from "effect/Terminal"
import type { CliFailure } from "../CliFailure.ts"
import { type Answer, answer, fail, failureJson, failureText, Json, painted, toJson } from "./answer.ts"
import { durationFlag } from "./durations.ts"
import * as Screen from "./screen.ts"
import { moment } from "./times.ts"

export interface Watch {
  readonly watch: boolean
  readonly interval: Duration.Duration
}

/** `--watch` and how often it looks, for any command that answers with what is there now. */
export const watchFlags = {
  watch: Flag.Boolean("watch").pipe(
    Flag.withAlias("w"),
    Flag.withDescription("Look again and again, until Ctrl-C"),
    Flag.withDefault(false)
  ),
  interval: durationFlag("interval").pipe(
    Flag.withDescription("How often --watch looks, such as 500ms, 5s, 1m"),
    Flag.withDefault(Duration.seconds(2))
  )
}

/** Whoever is away may come back; what does not exist was mistyped. */
const endsTheWatch = ({ kind }: CliFailure): boolean => kind !== "Unavailable"

const block = (head: string, text: string): string => `${head}\n\n${text}`

/**
 * Says the answer once, or with `--watch` again and again. What the look keeps between two of its runs is its own affair.
 * A failure at the first look ends it, but where something is away; later ones are shown like answers.
 */
export const answerWatching = <R>(look: Effect.Effect<Answer, CliFailure, R>, { interval, watch }: Watch) =>
  watch ? again(look, interval) : answer(look)

const again = Effect.fnUntraced(function*<R>(
  look: Effect.Effect<Answer, CliFailure, R>,
  interval: Duration.Duration
) {
  const asJson = yield* Json
  const paint = yield* painted
  const terminal = yield* Terminal.Terminal
  const { canAnimate } = yield* TerminalCapabilities.TerminalCapabilities
  const isDrawn = canAnimate && !asJson
  let isFirst = true

  const say = Effect.fnUntraced(function*(seen: Result.Result<Answer, CliFailure>) {
    if (asJson) {
      return yield* Result.isSuccess(seen)
        ? Console.log(toJson(seen.success.json))
        : Console.error(failureJson(seen.failure))
    }
    const head = `${moment(yield* Clock.currentTimeMillis)}, every ${Duration.format(interval)}`
    const text = Result.isSuccess(seen) ? seen.success.text(paint) : failureText(paint, seen.failure)
    if (!isDrawn) return yield* Console.log(`${isFirst ? "" : "\n"}${block(head, text)}`)
    const size = { rows: yield* terminal.rows, columns: yield* terminal.columns }
    const drawn = Screen.frame(block(paint.dim(`${head}; Ctrl-C ends`), text), size)
    return yield* Console.log(isFirst ? `${Screen.begin}${drawn}` : drawn)
  })

  const once = Effect.gen(function*() {
    const seen = yield* Effect.result(look)
    if (isFirst && Result.isFailure(seen) && endsTheWatch(seen.failure)) return yield* fail(seen.failure, asJson)
    yield* say(seen)
    isFirst = false
    yield* Effect.sleep(interval)
  })
  return yield* Effect.forever(once).pipe(
    Effect.ensuring(Effect.suspend(() => isDrawn && !isFirst ? Console.log(Screen.end) : Effect.void))
  )
})
