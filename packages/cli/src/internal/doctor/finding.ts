/** What an examination found. Pure. */
import type { CliFailure } from "../../CliFailure.ts"
import type { Paint } from "../paint.ts"
import { count, table } from "../table.ts"

/**
 * - `ok`: as it should be.
 * - `warning`: it runs, and someone will be sorry later.
 * - `failure`: consumers will not run as they are meant to.
 * - `skipped`: could not be looked at; why is said.
 */
export type Verdict = "ok" | "warning" | "failure" | "skipped"

export type Area = "machine" | "kafka" | "database" | "services"

export interface Finding {
  readonly area: Area
  readonly check: string
  readonly verdict: Verdict
  readonly found: string
  /** What to do about it. */
  readonly next?: string | undefined
}

export const of = (area: Area) => (check: string, verdict: Verdict, found: string, next?: string): Finding => ({
  area,
  check,
  verdict,
  found,
  next
})

/** What a check that did not come to an end says. */
export const failed = (area: Area, check: string, { message, next }: CliFailure): Finding => ({
  area,
  check,
  verdict: "failure",
  found: message,
  next
})

const colours: { readonly [K in Verdict]: keyof Paint } = {
  ok: "green",
  warning: "yellow",
  failure: "red",
  skipped: "dim"
}

export const report = (paint: Paint, findings: ReadonlyArray<Finding>): string => {
  const toDo = findings.filter(({ next, verdict }) => next !== undefined && verdict !== "ok")
  const failures = findings.filter(({ verdict }) => verdict === "failure").length
  const warnings = findings.filter(({ verdict }) => verdict === "warning").length
  return [
    table(paint, [
      { title: "", value: ({ verdict }) => verdict, paint: ({ verdict }) => colours[verdict] },
      { title: "AREA", value: ({ area }) => area },
      { title: "CHECK", value: ({ check }) => check },
      { title: "FOUND", value: ({ found }) => found }
    ], findings),
    ...toDo.length === 0 ? [] : [
      "",
      paint.bold("what to do"),
      ...toDo.map(({ check, next }) => `  ${check}: ${next}`)
    ],
    "",
    failures + warnings === 0
      ? "all is well"
      : `${count(failures, "failure")}, ${count(warnings, "warning")}`
  ].join("\n")
}
