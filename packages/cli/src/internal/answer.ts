/** How a command speaks: an answer as text for people or as JSON for programs, or a failure with what to do next. */
import * as Cause from "effect/Cause"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import type { CliFailure } from "../CliFailure.ts"
import * as ExitCode from "../ExitCode.ts"
import { coloured, type Paint, plain, safe } from "./paint.ts"

export interface Answer {
  /** What `--json` prints, on one line; bigints become numbers without loss. */
  readonly json: unknown
  readonly text: (paint: Paint) => string
  /** How it ends, where an answer is not all that there is to say. */
  readonly exit?: ExitCode.FailureKind | undefined
}

/** Everything is said; only the exit code is left. */
export class Ended extends Data.TaggedError("Ended")<{ readonly code: number }> {
  override readonly [Runtime.errorExitCode] = this.code
  override readonly [Runtime.errorReported] = false
}

export const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the answer as JSON; failures too, on standard error"),
    Flag.withDefault(false)
  )
})

/** An integer of any size is a number in JSON; only JavaScript's own numbers are shorter. */
const exact = (_: string, value: unknown): unknown =>
  typeof value === "bigint"
    ? (JSON as unknown as { readonly rawJSON: (text: string) => unknown }).rawJSON(value.toString())
    : value

export const toJson = (value: unknown): string => JSON.stringify(value, exact)

export const painted = Effect.map(
  TerminalCapabilities.TerminalCapabilities,
  ({ canColor }) => canColor ? coloured : plain
)

export const failureText = (paint: Paint, { message, near = [], next }: CliFailure): string =>
  [
    `${paint.red("error:")} ${message.split("\n").map(safe).join("\n")}`,
    ...near.length === 0 ? [] : [`  did you mean ${near.map((name) => paint.bold(safe(name))).join(", ")}?`],
    ...next === undefined ? [] : [`  ${paint.cyan("next:")} ${next}`]
  ].join("\n")

export const failureJson = ({ kind, message, near = [], next }: CliFailure): string =>
  toJson({ error: { kind, message, near, next: next ?? null }, exitCode: ExitCode.ofKind[kind] })

/** Says why a command did not do what was asked, and ends with its exit code. */
export const fail = Effect.fnUntraced(function*(failure: CliFailure, asJson: boolean): Effect.fn.Return<never, Ended> {
  const paint = yield* painted
  yield* Console.error(asJson ? failureJson(failure) : failureText(paint, failure))
  return yield* new Ended({ code: ExitCode.ofKind[failure.kind] })
})

/** Says what a command that gives its answers by itself fails with. */
export const orFail = <A, R>(effect: Effect.Effect<A, CliFailure | Ended, R>) =>
  Effect.gen(function*() {
    const asJson = yield* Json
    return yield* Effect.catchTag(effect, "CliFailure", (failure) => fail(failure, asJson))
  })

/** Says the answer of a command. */
export const answer = <R>(effect: Effect.Effect<Answer, CliFailure, R>) =>
  Effect.gen(function*() {
    const asJson = yield* Json
    const { exit, json, text } = yield* Effect.catchTag(effect, "CliFailure", (failure) => fail(failure, asJson))
    const said = asJson ? toJson(json) : text(yield* painted)
    if (said !== "") yield* Console.log(said)
    if (exit !== undefined) return yield* new Ended({ code: ExitCode.ofKind[exit] })
  })

/** What nobody foresaw: the whole of it, as whoever mends it needs it. */
export const crashed = (cause: Cause.Cause<unknown>): string =>
  `this is a defect of weft; please report it with what follows\n${Cause.pretty(cause)}`
