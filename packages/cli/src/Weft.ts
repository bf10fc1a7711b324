/**
 * The `weft` command.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as CliConfig from "effect/cli/CliConfig"
import type * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { Backends } from "./Backends.ts"
import { CliFailure } from "./CliFailure.ts"
import * as ExitCode from "./ExitCode.ts"
import { crashed, Ended, failureJson, failureText, Json, painted } from "./internal/answer.ts"
import { alerts } from "./internal/commands/alerts.ts"
import { config } from "./internal/commands/config.ts"
import { demo } from "./internal/commands/demo.ts"
import { dlq } from "./internal/commands/dlq.ts"
import { doctor } from "./internal/commands/doctor.ts"
import { groups } from "./internal/commands/groups.ts"
import { lag } from "./internal/commands/lag.ts"
import { metrics } from "./internal/commands/metrics.ts"
import { migrate } from "./internal/commands/migrate.ts"
import { monitor } from "./internal/commands/monitor.ts"
import { recommend } from "./internal/commands/recommend.ts"
import { topics } from "./internal/commands/topics.ts"
import { helpText } from "./internal/helpText.ts"
import { OnTransport } from "./internal/kafka.ts"
import { usageFailure } from "./internal/usage.ts"

/**
 * The version of the command and of the package.
 *
 * @category constants
 * @since 0.1.0
 */
export const version = "0.1.0"

const description = `Kafka consumers, configured from Postgres, that never lose a record.

To begin:
  export DATABASE_URL=postgres://user:password@localhost:5432/weft
  export KAFKA_BROKERS=localhost:9092
  weft migrate         # Weft's tables in the database
  weft config list     # what is configured
  weft groups list     # what runs

weft COMMAND --help tells more, with examples. Ends with ${
  ExitCode.table.slice(0, 7).map(({ code, meaning }) => `${code} ${meaning.split(/[:;]/)[0]}`).join(", ")
}.`

/**
 * The command with all its subcommands.
 *
 * @category commands
 * @since 0.1.0
 */
export const command = Command.make("weft").pipe(
  Command.withDescription(description),
  Command.withSubcommands([
    { group: "HEALTH", commands: [demo, doctor, alerts, metrics, recommend] },
    { group: "DATABASE", commands: [migrate, config] },
    { group: "KAFKA", commands: [groups, topics, lag, monitor, dlq] }
  ]),
  Command.withGlobalFlags([Json, OnTransport])
)

const builtIns: ReadonlyArray<GlobalFlag.BuiltIn> = [
  GlobalFlag.Help,
  GlobalFlag.Version,
  GlobalFlag.Completions,
  GlobalFlag.LogLevel
]

/** What is printed beside answers: help and version on standard output, a wrong command line on standard error. */
const presenter = (asJson: boolean): CliOutput.Presenter => ({
  present: Effect.fnUntraced(function*(event) {
    const paint = yield* painted
    switch (event._tag) {
      case "Help":
        return yield* Console.log(helpText(paint, event.helpDoc))
      case "Version":
        return yield* Console.log(asJson ? JSON.stringify({ version: event.version }) : `weft ${event.version}`)
      case "InvalidInvocation": {
        const failure = usageFailure(event)
        return yield* Console.error(asJson ? failureJson(failure) : failureText(paint, failure))
      }
    }
  })
})

/** `weft help config set` is what many type first. */
const withHelpCommand = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args[0] === "help" ? [...args.slice(1), "--help"] : args

const showHelpEnded = (error: unknown): Effect.Effect<void, Ended> =>
  error instanceof Ended
    ? Effect.fail(error)
    : (error as CliError.CliError)._tag === "ShowHelp" && (error as CliError.ShowHelp).errors.length === 0
    ? Effect.void
    : Effect.fail(new Ended({ code: ExitCode.ofKind.Usage }))

/**
 * Runs one command line and says all there is to say about it; what it fails with has the exit code only. Logs go to
 * standard error, from `Error` on unless `--log-level` says otherwise.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (args: ReadonlyArray<string>): Effect.Effect<void, Ended, Backends | Command.Environment> => {
  const asJson = args.includes("--json")
  return Command.runWith(command, { version })(withHelpCommand(args)).pipe(
    Effect.catch(showHelpEnded),
    Effect.catchCauseIf(Cause.hasDies, (cause): Effect.Effect<void, Ended> =>
      Effect.andThen(
        Console.error(
          asJson ? failureJson(new CliFailure({ kind: "Failed", message: crashed(cause) })) : crashed(cause)
        ),
        new Ended({ code: ExitCode.ofKind.Failed })
      )),
    Effect.provideService(CliConfig.CliConfig, CliConfig.make({ builtIns })),
    Effect.provideService(CliOutput.Presenter, presenter(asJson)),
    Effect.provideService(References.MinimumLogLevel, "Error"),
    Effect.provideService(Logger.LogToStderr, true)
  )
}

/**
 * The help of every command, the root first, in the order in which the help lists them.
 *
 * @category running
 * @since 0.1.0
 */
export const helpDocs: Effect.Effect<ReadonlyArray<HelpDoc.HelpDoc>, never, Command.Environment> = Effect.gen(
  function*() {
    const found: Array<HelpDoc.HelpDoc> = []
    const collect: CliOutput.Presenter = {
      present: (event) => Effect.sync(() => event._tag === "Help" ? found.push(event.helpDoc) : undefined)
    }
    const visit = (path: ReadonlyArray<string>): Effect.Effect<void, never, Command.Environment> =>
      Effect.gen(function*() {
        yield* Command.runWith(command, { version })([...path, "--help"])
        const subcommands = found.at(-1)?.subcommands ?? []
        yield* Effect.forEach(subcommands.flatMap(({ commands }) => commands), ({ name }) => visit([...path, name]))
      }).pipe(
        Effect.provideService(CliOutput.Presenter, collect),
        Effect.provideService(CliConfig.CliConfig, CliConfig.make({ builtIns })),
        Effect.provideService(Backends, undefined as never),
        Effect.orDie
      )
    yield* visit([])
    return found
  }
)
