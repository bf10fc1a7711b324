import * as ConfigHistory from "@weft/postgres/ConfigHistory"
import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { answer } from "../answer.ts"
import { changeFlags, changeOptions } from "../changeFlags.ts"
import { outcomeAnswer } from "../outcomes.ts"
import { knownService, withServices } from "../services.ts"
import { assignmentOf, columnOf } from "../settingNames.ts"
import { serviceArgument } from "./configRead.ts"

const context = (isDryRun: boolean) => Effect.map(Clock.currentTimeMillis, (now) => ({ isDryRun, now }))

export const set = Command.make("set", {
  service: serviceArgument,
  assignments: Argument.String("key=value").pipe(
    Argument.withDescription(
      "Settings with their new values, such as max_poll_records=500; profile=gpu, description=..."
    ),
    Argument.variadic({ min: 1 })
  ),
  ...changeFlags
}, ({ assignments, service, ...flags }) =>
  answer(withServices(Effect.gen(function*() {
    const pairs = yield* Effect.forEach(assignments, (text) => Effect.fromResult(assignmentOf(text)))
    const writer = yield* ConfigWriter.ConfigWriter
    const outcome = yield* writer.set(service, Object.fromEntries(pairs), yield* changeOptions(flags))
    return outcomeAnswer(outcome, yield* context(flags.dryRun))
  })))).pipe(
    Command.withDescription(
      "Set settings of a service, which gets a row where it has none. Running consumers follow within a second: hot settings "
        + "in place, rejoin settings one member after the other. Values that would be refused are not written"
    ),
    Command.withShortDescription("Set settings of a service; --dry-run shows what each member would do"),
    Command.withExamples([
      { command: "weft config set georegion-detector max_poll_records=500 --dry-run" },
      { command: "weft config set georegion-detector max_poll_records=500 --reason \"lag after the import\"" },
      { command: "weft config set my-vision-service profile=gpu" }
    ])
  )

export const unset = Command.make("unset", {
  service: serviceArgument,
  settings: Argument.String("setting").pipe(
    Argument.withDescription("Settings to leave to the profile and the defaults again"),
    Argument.variadic({ min: 1 })
  ),
  ...changeFlags
}, ({ service, settings, ...flags }) =>
  answer(withServices(Effect.gen(function*() {
    const columns = yield* Effect.forEach(settings, (name) => Effect.fromResult(columnOf(name)))
    yield* knownService(service)
    const writer = yield* ConfigWriter.ConfigWriter
    const outcome = yield* writer.unset(service, columns, yield* changeOptions(flags))
    return outcomeAnswer(outcome, yield* context(flags.dryRun))
  })))).pipe(
    Command.withDescription("Leave settings of a service to its profile and the defaults again"),
    Command.withExamples([{ command: "weft config unset georegion-detector max_poll_records" }])
  )

export const remove = Command.make(
  "remove",
  { service: serviceArgument, ...changeFlags },
  ({ service, ...flags }) =>
    answer(withServices(Effect.gen(function*() {
      yield* knownService(service)
      const writer = yield* ConfigWriter.ConfigWriter
      const outcome = yield* writer.remove(service, yield* changeOptions(flags))
      return outcomeAnswer(outcome, yield* context(flags.dryRun))
    })))
).pipe(
  Command.withDescription("Remove the row of a service; its consumers go on with profile and defaults"),
  Command.withExamples([{ command: "weft config remove georegion-detector --dry-run" }])
)

export const revert = Command.make("revert", {
  service: serviceArgument,
  revision: Argument.Int("revision").pipe(Argument.withDescription("The revision that the row was as after it")),
  ...changeFlags
}, ({ revision, service, ...flags }) =>
  answer(withServices(Effect.gen(function*() {
    const history = yield* ConfigHistory.ConfigHistory
    const outcome = yield* history.revert(service, revision, yield* changeOptions(flags))
    return outcomeAnswer(outcome, yield* context(flags.dryRun))
  })))).pipe(
    Command.withDescription("Make the row of a service what it was after an earlier revision; this is a new revision"),
    Command.withExamples([{
      command: "weft config revert georegion-detector 3 --dry-run",
      description: "weft config history georegion-detector shows the revisions"
    }])
  )
