import * as ConfigIssue from "@weft/config/ConfigIssue"
import * as Resolution from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { CliFailure } from "../../CliFailure.ts"
import { type Answer, answer } from "../answer.ts"
import type { Services } from "../configDocument.ts"
import { isDatabaseNamed } from "../database.ts"
import { isWrong } from "../issues.ts"
import { safe } from "../paint.ts"
import { knownService, withServices } from "../services.ts"
import { count } from "../table.ts"
import { rowsOf, servicesIn } from "./configFiles.ts"

const faultsOf = ({ issues, service }: Resolution.Resolved) => ({
  service,
  faults: issues.filter(isWrong).map((issue) => ({
    kind: issue._tag,
    setting: "setting" in issue ? Setting.settings[issue.setting].sql : "column" in issue ? issue.column : null,
    reason: ConfigIssue.message(issue)
  }))
})

const verdict = (all: ReadonlyArray<Resolution.Resolved>, note?: string): Answer => {
  const services = all.map(faultsOf)
  const bad = services.filter(({ faults }) => faults.length > 0)
  return {
    json: { valid: bad.length === 0, services },
    text: (paint) =>
      [
        ...bad.map(({ faults, service }) =>
          [paint.bold(safe(service)), ...faults.map(({ reason }) => `  ${paint.yellow("!")} ${reason}`)].join("\n")
        ),
        bad.length === 0
          ? `${count(services.length, "configuration")}, all valid`
          : `${bad.length} of ${count(services.length, "configuration")} would not apply in full`,
        ...note === undefined ? [] : [paint.dim(note)]
      ].join("\n"),
    exit: bad.length === 0 ? undefined : "Findings"
  }
}

const alone = (services: Services) =>
  [...services].map(([service, columns]) => Resolution.resolve({ service, row: { _tag: "Row", columns } }))

/** With the profiles and rules of the database; what the table has no column for is said beside it. */
const withProfiles = Effect.fnUntraced(function*(services: Services) {
  const writer = yield* ConfigWriter.ConfigWriter
  const unknown = new Map(
    alone(services).map(({ issues, service }) => [service, issues.filter((issue) => issue._tag === "UnknownColumn")])
  )
  const rows = rowsOf(services).map((row) => {
    const columns = new Set(unknown.get(row.service_name)?.map(({ column }) => column))
    return Object.fromEntries(Object.entries(row).filter(([name]) => !columns.has(name))) as unknown as typeof row
  })
  return (yield* writer.check(rows)).map((found) => ({
    ...found,
    issues: [...found.issues, ...unknown.get(found.service) ?? []]
  }))
})

const inFile = Effect.fnUntraced(function*(text: string) {
  const services = yield* servicesIn(text)
  return (yield* isDatabaseNamed)
    ? verdict(yield* withServices(withProfiles(services)))
    : verdict(alone(services), "DATABASE_URL is not set: profiles and rules of the database were not looked at")
})

const notBoth = Effect.fail(
  new CliFailure({
    kind: "Usage",
    message: "services are named, and a file: a file is checked as a whole",
    next: "weft config validate --file PATH, or weft config validate SERVICE"
  })
)

const inDatabase = Effect.fnUntraced(function*(services: ReadonlyArray<string>) {
  if (services.length > 0) return verdict(yield* Effect.forEach(services, knownService))
  return verdict(yield* (yield* ConfigWriter.ConfigWriter).list)
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
      Flag.withDescription("Check a file as `weft config export` writes it; a database is not needed"),
      Flag.optional
    )
  },
  ({ file, services }) =>
    answer(Option.match(file, {
      onNone: () => withServices(inDatabase(services)),
      onSome: (text) => services.length === 0 ? inFile(text) : notBoth
    }))
).pipe(
  Command.withDescription(
    "Check configurations: which values would be refused, and why. Ends with 6 where there are any, for use in scripts"
  ),
  Command.withShortDescription("Check the configurations of all services, or of a file"),
  Command.withExamples([
    { command: "weft config validate" },
    { command: "weft config validate --file consumers.yaml", description: "Before it is imported" }
  ])
)
