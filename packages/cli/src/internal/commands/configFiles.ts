import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { CliFailure } from "../../CliFailure.ts"
import { answer } from "../answer.ts"
import { changeFlags, changeOptions } from "../changeFlags.ts"
import { parse, render, type Services } from "../configDocument.ts"
import { outcomesAnswer } from "../outcomes.ts"
import { knownService, withServices } from "../services.ts"

export const unusableFile = (reason: string): CliFailure =>
  new CliFailure({
    kind: "Usage",
    message: `the file cannot be used: ${reason}`,
    next: "weft config export shows what such a file looks like"
  })

export const servicesIn = (text: string): Effect.Effect<Services, CliFailure> =>
  Effect.mapError(Effect.fromResult(parse(text)), unusableFile)

export const rowsOf = (services: Services): ReadonlyArray<ConfigWriter.Row> =>
  [...services].map(([service, columns]) => ({ ...columns, service_name: service }))

const documentOf = (rows: ReadonlyArray<ConfigWriter.Row>): Services =>
  new Map(rows.map(({ service_name, ...columns }) => [service_name, columns]))

export const exportCommand = Command.make("export", {
  services: Argument.String("service").pipe(
    Argument.withDescription("Only these services; without any, all that have a row"),
    Argument.variadic()
  )
}, ({ services }) =>
  answer(withServices(Effect.gen(function*() {
    yield* Effect.forEach(services, knownService)
    const writer = yield* ConfigWriter.ConfigWriter
    const document = documentOf(yield* writer.exportRows(services.length === 0 ? undefined : services))
    return { json: { services: Object.fromEntries(document) }, text: () => render(document).trimEnd() }
  })))).pipe(
    Command.withDescription("Write the rows as YAML on standard output, for a file under version control"),
    Command.withExamples([
      { command: "weft config export > consumers.yaml" },
      { command: "weft config export georegion-detector --json", description: "weft config import reads that as well" }
    ])
  )

export const importCommand = Command.make("import", {
  file: Argument.FileText("file").pipe(
    Argument.withDescription("A file as `weft config export` writes it, in YAML or JSON")
  ),
  replace: Flag.Boolean("replace").pipe(
    Flag.withDescription("Leave out what the file leaves out; without it, such settings stay as they are"),
    Flag.withDefault(false)
  ),
  ...changeFlags
}, ({ file, replace, ...flags }) =>
  answer(withServices(Effect.gen(function*() {
    const rows = rowsOf(yield* servicesIn(file))
    const writer = yield* ConfigWriter.ConfigWriter
    const options = { ...(yield* changeOptions(flags)), mode: replace ? "replace" as const : "merge" as const }
    const outcomes = yield* writer.importRows(rows, options)
    return outcomesAnswer(outcomes, { isDryRun: flags.dryRun, now: yield* Clock.currentTimeMillis })
  })))).pipe(
    Command.withDescription(
      "Write the rows of a file, all of them or none. Services that the file does not name stay as they are"
    ),
    Command.withExamples([
      { command: "weft config import consumers.yaml --dry-run" },
      { command: "weft config import consumers.yaml --replace --reason \"release 12\"" }
    ])
  )
