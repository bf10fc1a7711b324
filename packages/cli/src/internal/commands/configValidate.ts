import * as ConfigIssue from "@weft/config/ConfigIssue"
import * as Resolution from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { CliFailure } from "../../CliFailure.ts"
import { type Answer, answer } from "../answer.ts"
import { parse } from "../configDocument.ts"
import { isRefused } from "../issues.ts"
import { safe } from "../paint.ts"
import { knownService, resolved, serviceNames, withServices } from "../services.ts"
import { count } from "../table.ts"

const verdictOf = ({ issues, service }: Resolution.Resolved) => ({
  service,
  refused: issues.filter(isRefused).map((issue) => ({
    setting: Setting.settings[issue.setting].sql,
    raw: issue.raw,
    reason: ConfigIssue.message(issue)
  })),
  unknownColumns: issues.flatMap((issue) => issue._tag === "UnknownColumn" ? [issue.column] : [])
})

const verdicts = (all: ReadonlyArray<Resolution.Resolved>): Answer => {
  const services = all.map(verdictOf)
  const bad = services.filter(({ refused, unknownColumns }) => refused.length + unknownColumns.length > 0)
  return {
    json: { valid: bad.length === 0, services },
    text: (paint) =>
      [
        ...bad.map(({ refused, service, unknownColumns }) =>
          [
            paint.bold(safe(service)),
            ...refused.map(({ reason }) => `  ${paint.yellow("!")} ${reason}`),
            ...unknownColumns.map((column) => `  ${paint.yellow("!")} ${safe(column)} is no setting and has no effect`)
          ].join("\n")
        ),
        bad.length === 0
          ? `${count(services.length, "configuration")}, all valid`
          : `${bad.length} of ${count(services.length, "configuration")} would not apply in full`
      ].join("\n"),
    exit: bad.length === 0 ? undefined : "Findings"
  }
}

const inFile = Effect.fnUntraced(function*(text: string) {
  const services = parse(text)
  if (Result.isFailure(services)) {
    return yield* new CliFailure({
      kind: "Usage",
      message: `the file cannot be used: ${services.failure}`,
      next: "weft config export shows what such a file looks like"
    })
  }
  return verdicts(
    [...services.success].map(([service, columns]) => Resolution.resolve({ service, row: { _tag: "Row", columns } }))
  )
})

const inDatabase = Effect.fnUntraced(function*(services: ReadonlyArray<string>) {
  return verdicts(
    services.length === 0
      ? yield* Effect.forEach(yield* serviceNames, resolved, { concurrency: 2 })
      : yield* Effect.forEach(services, knownService)
  )
})

export const validate = Command.make(
  "validate",
  {
    services: Argument.String("service").pipe(
      Argument.withDescription("Only these services; without any, all that have a row"),
      Argument.variadic()
    ),
    file: Flag.FileText("file").pipe(
      Flag.withAlias("f"),
      Flag.withMetavar("path"),
      Flag.withDescription("Check a file as `weft config export` writes it, without a database"),
      Flag.optional
    )
  },
  ({ file, services }) =>
    answer(Option.match(file, { onNone: () => withServices(inDatabase(services)), onSome: inFile }))
).pipe(
  Command.withDescription(
    "Check configurations: which values would be refused, and why. Ends with 6 where there are any, for use in a pipeline"
  ),
  Command.withShortDescription("Check configurations of all services, or of a file"),
  Command.withExamples([
    { command: "weft config validate" },
    { command: "weft config validate --file consumers.yaml", description: "Before it is imported" }
  ])
)
