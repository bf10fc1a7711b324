import * as Setting from "@weft/config/Setting"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { CliFailure } from "../../CliFailure.ts"
import { type Answer, answer } from "../answer.ts"
import { nearNames } from "../nearNames.ts"
import { safe } from "../paint.ts"
import { withServices } from "../services.ts"
import { assignmentOf } from "../settingNames.ts"
import { table } from "../table.ts"

type Origin = "built-in" | "changed" | "own"

/** The database may have the built-in ones as well, as they are or changed. */
const originOf = ({ name, source, values }: ConfigWriter.Profile): Origin => {
  const builtIn = WorkloadProfile.get(name)
  if (builtIn === undefined) return "own"
  if (source === "built-in") return "built-in"
  const isSame = Setting.keys.every((key) => (values[Setting.settings[key].sql] ?? undefined) === builtIn.values[key])
  return isSame ? "built-in" : "changed"
}

const marks: { readonly [K in Origin]: string } = { "built-in": "", changed: "(changed here) ", own: "(yours) " }

const profilesAnswer = (profiles: ReadonlyArray<ConfigWriter.Profile>): Answer => ({
  json: profiles.map((profile) => ({ ...profile, origin: originOf(profile) })),
  text: (paint) =>
    profiles.map((profile) =>
      [
        `${paint.bold(safe(profile.name))}  ${paint.cyan(marks[originOf(profile)])}${safe(profile.description)}`
          .trimEnd(),
        ...Object.entries(profile.values).map(([sql, value]) => `  ${sql}=${safe(String(value))}`)
      ].join("\n")
    ).join("\n\n")
})

const nameArgument = Argument.String("profile").pipe(Argument.withDescription("The profile's name"))

const setProfile = Command.make("set", {
  name: nameArgument,
  assignments: Argument.String("key=value").pipe(
    Argument.withDescription("Settings with their values; description=... as well"),
    Argument.variadic({ min: 1 })
  ),
  force: Flag.Boolean("force").pipe(
    Flag.withDescription("Write values that would be refused"),
    Flag.withDefault(false)
  )
}, ({ assignments, force, name }) =>
  answer(withServices(Effect.gen(function*() {
    const pairs = yield* Effect.forEach(assignments, (text) => Effect.fromResult(assignmentOf(text)))
    const writer = yield* ConfigWriter.ConfigWriter
    return profilesAnswer(yield* writer.setProfile(name, Object.fromEntries(pairs), { force }))
  })))).pipe(
    Command.withDescription("Set values of a profile, which is made where there is none; a built-in one is replaced"),
    Command.withExamples([{ command: "weft config profiles set nightly max_poll_records=2000 fetch_min_bytes=65536" }])
  )

const removeProfile = Command.make(
  "remove",
  { name: nameArgument },
  ({ name }) =>
    answer(withServices(Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      const own = (yield* writer.profiles).flatMap((one) => one.source === "table" ? [one.name] : [])
      if (!own.includes(name)) {
        return yield* new CliFailure({
          kind: "NotFound",
          message: `the database has no profile "${name}"`,
          near: nearNames(name, own),
          next: "weft config profiles shows all profiles; the built-in ones cannot be removed"
        })
      }
      return profilesAnswer(yield* writer.removeProfile(name))
    })))
).pipe(
  Command.withDescription("Remove a profile; where one of its name is built in, that one holds again"),
  Command.withExamples([{ command: "weft config profiles remove nightly" }])
)

export const profiles = Command.make("profiles", {}, () =>
  answer(withServices(Effect.gen(function*() {
    return profilesAnswer(yield* (yield* ConfigWriter.ConfigWriter).profiles)
  })))).pipe(
    Command.withDescription(
      "List the workload profiles: the values that stand between a row and the defaults. A row names one with "
        + "weft config set SERVICE profile=NAME; rules name them by the service's name"
    ),
    Command.withShortDescription("List the workload profiles, set and remove a team's own"),
    Command.withExamples([{ command: "weft config profiles" }]),
    Command.withSubcommands([setProfile, removeProfile])
  )

const rulesAnswer = (rules: ReadonlyArray<ConfigWriter.Rule>): Answer => ({
  json: rules,
  text: (paint) =>
    rules.length === 0 ? "no rules: services without a workload_profile have the profile of their program" : table(
      paint,
      [
        { title: "SERVICES LIKE", value: ({ pattern }) => pattern },
        { title: "PROFILE", value: ({ profile }) => profile },
        { title: "PRIORITY", value: ({ priority }) => priority, align: "right" },
        { title: "", value: ({ description }) => description ?? "" }
      ],
      rules
    )
})

const patternArgument = Argument.String("pattern").pipe(
  Argument.withDescription("As of SQL's LIKE: % is anything, _ one character, such as %-vision-%")
)

const setRule = Command.make("set", {
  pattern: patternArgument,
  profile: Argument.String("profile").pipe(Argument.withDescription("The profile of services of such names")),
  priority: Flag.Int("priority").pipe(
    Flag.withMetavar("number"),
    Flag.withDescription("Of several rules that match, the highest holds, then the longest pattern; 0 by default"),
    Flag.withDefault(0)
  )
}, (rule) =>
  answer(withServices(Effect.gen(function*() {
    const writer = yield* ConfigWriter.ConfigWriter
    const known = (yield* writer.profiles).map(({ name }) => name)
    if (!known.includes(rule.profile)) {
      return yield* new CliFailure({
        kind: "NotFound",
        message: `no profile is called "${rule.profile}"`,
        near: nearNames(rule.profile, known),
        next: "weft config profiles shows all profiles"
      })
    }
    return rulesAnswer(yield* writer.setRule(rule))
  })))).pipe(
    Command.withDescription("Give a profile to all services of such names, unless their row names one"),
    Command.withExamples([{ command: "weft config rules set %-vision-% gpu" }])
  )

const removeRule = Command.make(
  "remove",
  { pattern: patternArgument },
  ({ pattern }) =>
    answer(withServices(Effect.gen(function*() {
      const writer = yield* ConfigWriter.ConfigWriter
      const patterns = (yield* writer.rules).map((rule) => rule.pattern)
      if (!patterns.includes(pattern)) {
        return yield* new CliFailure({
          kind: "NotFound",
          message: `no rule has the pattern "${pattern}"`,
          near: nearNames(pattern, patterns),
          next: "weft config rules shows all rules"
        })
      }
      return rulesAnswer(yield* writer.removeRule(pattern))
    })))
).pipe(
  Command.withDescription("Remove a rule"),
  Command.withExamples([{ command: "weft config rules remove %-vision-%" }])
)

export const rules = Command.make("rules", {}, () =>
  answer(withServices(Effect.gen(function*() {
    return rulesAnswer(yield* (yield* ConfigWriter.ConfigWriter).rules)
  })))).pipe(
    Command.withDescription(
      "List the rules that give profiles to services by their names, in the order in which they hold"
    ),
    Command.withShortDescription("List the rules that give profiles by name, set and remove them"),
    Command.withExamples([{ command: "weft config rules" }]),
    Command.withSubcommands([setRule, removeRule])
  )
