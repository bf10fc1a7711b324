import type { KafkaError } from "@weft/kafka/KafkaError"
import type * as AlertWebhook from "@weft/pipeline/AlertWebhook"
import * as GroupMonitor from "@weft/pipeline/GroupMonitor"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as PostgresAlertWatch from "@weft/postgres/PostgresAlertWatch"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import type * as Cause from "effect/Cause"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { SqlError } from "effect/sql/SqlError"
import { Backends } from "../../Backends.ts"
import { CliFailure } from "../../CliFailure.ts"
import { failureJson, failureText, Json, orFail, painted, toJson } from "../answer.ts"
import { configFailure, databaseFailure, isDatabaseNamed } from "../database.ts"
import { durationFlag } from "../durations.ts"
import { matches } from "../globs.ts"
import { inTime, inWords, kafkaFailure, withOpenKafka } from "../kafka.ts"
import { groupJson, groupPartitionsJson, lookText } from "../lagTables.ts"
import { MonitorLog } from "../monitorLog.ts"
import { serviceGroups, servicesOf } from "../serviceGroups.ts"
import { moment } from "../times.ts"

const failureOf = (error: KafkaError | Cause.TimeoutError): CliFailure =>
  error._tag === "TimeoutError" ? new CliFailure({ kind: "Unavailable", message: error.message }) : kafkaFailure(error)

const sinkFailure = ({ cause, message }: MetricsSink.MetricsSinkError): CliFailure =>
  cause instanceof CliFailure
    ? cause
    : cause instanceof SqlError
    ? databaseFailure(cause)
    : new CliFailure({ kind: "Unavailable", message })

/** The services of groups are asked for anew now and then. */
const servicesFor = Duration.minutes(1)

/** Samples are written under the name of the service whose row names the group, else under the group's own. */
const namedByService = Effect.fnUntraced(function*(sink: MetricsSink.MetricsSink["Service"]) {
  const backends = yield* Backends
  const [services, forget] = yield* Effect.cachedInvalidateWithTTL(
    Effect.provideService(Effect.map(serviceGroups, servicesOf), Backends, backends),
    servicesFor
  )
  return MetricsSink.MetricsSink.of({
    write: (measurements) =>
      services.pipe(
        // A failure is not remembered: the database may be back at the next look.
        Effect.tapError(() => forget),
        Effect.mapError((cause) => new MetricsSink.MetricsSinkError({ cause })),
        Effect.flatMap((known) =>
          sink.write({
            ...measurements,
            lag: measurements.lag.map((sample) => ({ ...sample, service: known.get(sample.group) ?? sample.service }))
          })
        )
      )
  })
})

/** A webhook that cannot be used is told before anything else happens. */
const webhookFailure = ({ message }: AlertWebhook.AlertWebhookConfigError): CliFailure =>
  new CliFailure({ kind: "Usage", message, next: "without the variable nobody is told, and weft alerts shows them" })

/** Where samples go: into the database, where one is named; and from where `judges` has alerts judged. */
const openSink = Effect.fnUntraced(function*(judges: boolean) {
  if (!(yield* isDatabaseNamed)) return undefined
  const backends = yield* Backends
  // One pool for as long as it runs.
  const database = yield* Layer.build(backends.database).pipe(Effect.mapError(configFailure))
  const sink = yield* Effect.map(
    Layer.build(Layer.provide(PostgresMetricsSink.layer, Layer.succeedContext(database))),
    (context) => Context.get(context, MetricsSink.MetricsSink)
  )
  if (judges) {
    yield* Effect.mapError(
      Layer.build(Layer.provide(PostgresAlertWatch.layer, Layer.succeedContext(database))),
      webhookFailure
    )
  }
  return yield* Effect.provideService(namedByService(sink), Backends, {
    ...backends,
    database: Layer.succeedContext(database)
  })
})

/** Tells once that somebody is away, and once that they are back. */
const makeAway = (who: string, say: (failure: CliFailure) => Effect.Effect<void>, back: Effect.Effect<void>) => {
  let isAway = false
  return {
    failed: (failure: CliFailure) =>
      Effect.suspend(() => {
        if (isAway) return Effect.void
        isAway = true
        return say(new CliFailure({ ...failure, message: `${who} is away, it goes on: ${failure.message}` }))
      }),
    answered: Effect.suspend(() => {
      if (!isAway) return Effect.void
      isAway = false
      return back
    })
  }
}

interface Flags {
  readonly group: ReadonlyArray<string>
  readonly interval: Duration.Duration
  readonly partitions: boolean
}

const monitorOf = ({ group }: Flags): GroupMonitor.GroupMonitor =>
  GroupMonitor.make(group.length === 0 ? {} : { groups: matches(group) })

const lookJson = ({ at, failed, groups }: GroupMonitor.Look, partitions: boolean): ReadonlyArray<unknown> => [
  ...groups.map((group) => ({ at, ...(partitions ? groupPartitionsJson : groupJson)(group) })),
  ...failed.map(({ error, group }) => ({ at, group, error: kafkaFailure(error).message }))
]

const sayJson = (look: GroupMonitor.Look, partitions: boolean) =>
  Effect.forEach(lookJson(look, partitions), (line) => Console.log(toJson(line)), { discard: true })

/** One look, written and said. */
const once = Effect.fnUntraced(function*(flags: Flags) {
  const sink = yield* openSink(false)
  const look = yield* inTime(inWords(monitorOf(flags).look))
  if (sink !== undefined) {
    const lag = look.groups.flatMap(({ partitions }) => partitions.map(({ sample }) => sample))
    yield* Effect.mapError(sink.write({ metrics: [], members: [], lag }), sinkFailure)
  }
  if (yield* Json) return yield* sayJson(look, flags.partitions)
  yield* Console.log(lookText(yield* painted, look))
})

/** Looks and writes until it is stopped. */
const forEver = Effect.fnUntraced(function*(flags: Flags) {
  const asJson = yield* Json
  const paint = yield* painted
  const log = new MonitorLog()
  const say = (line: string) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => Console.log(`${paint.dim(moment(now))} ${line}`))
  const sayFailure = (failure: CliFailure) => Console.error(asJson ? failureJson(failure) : failureText(paint, failure))
  const sayBack = (line: string) => asJson ? Effect.void : say(line)
  const kafka = makeAway("Kafka", sayFailure, sayBack("Kafka is back"))
  const database = makeAway("the database", sayFailure, sayBack("the database is back"))

  const opened = yield* openSink(true)
  const sink = MetricsSink.MetricsSink.of({
    write: (measurements) =>
      opened === undefined ? Effect.void : opened.write(measurements).pipe(
        Effect.tap(() => database.answered),
        Effect.tapError((error) => database.failed(sinkFailure(error)))
      )
  })
  if (!asJson) {
    const names = flags.group.length === 0 ? "all groups" : flags.group.join(", ")
    yield* say(
      `looks at ${names} every ${Duration.format(flags.interval)}; ` +
        (opened === undefined
          ? "DATABASE_URL is not set: nothing is written"
          : "samples go into the database, and alerts are judged there")
    )
  }
  return yield* GroupMonitor.run(monitorOf(flags), {
    interval: flags.interval,
    tell: (look) =>
      Effect.gen(function*() {
        if (Result.isFailure(look)) return yield* kafka.failed(failureOf(look.failure))
        yield* kafka.answered
        if (asJson) return yield* sayJson(look.success, flags.partitions)
        const lines = log.lines(paint, look.success, ({ error }) => kafkaFailure(error).message)
        yield* Effect.forEach(lines, say, { discard: true })
      })
  }).pipe(Effect.provideService(MetricsSink.MetricsSink, sink))
})

export const monitor = Command.make(
  "monitor",
  {
    group: Flag.String("group").pipe(
      Flag.withAlias("g"),
      Flag.withMetavar("pattern"),
      Flag.withDescription("Only groups with such names: * is anything, ? one character; can be given several times"),
      Flag.atLeast(0)
    ),
    interval: durationFlag("interval").pipe(
      Flag.withDescription("From one look to the next, such as 30s or 1m"),
      Flag.withDefault(Duration.seconds(30))
    ),
    partitions: Flag.Boolean("partitions").pipe(
      Flag.withAlias("p"),
      Flag.withDescription("With --json, every partition of each group"),
      Flag.withDefault(false)
    ),
    once: Flag.Boolean("once").pipe(
      Flag.withDescription("One look, and done"),
      Flag.withDefault(false)
    )
  },
  ({ once: isOnce, ...flags }) => orFail(withOpenKafka(Effect.scoped(isOnce ? once(flags) : forEver(flags))))
).pipe(
  Command.withDescription(
    "Watch consumer groups by the admin API alone, whoever's they are: joins none of them, reads no record. Each look " +
      "is written to consumer_lag_history where DATABASE_URL is set, under the name of the service whose row names the " +
      "group, else under the group's; views then cover groups that are not Weft's, and alerts are judged (weft alerts; " +
      "WEFT_ALERT_WEBHOOK_URL is told of them). Says what changes; with " +
      "--json a line for each group and look. Runs until SIGTERM or Ctrl-C, and goes on when Kafka or the database is " +
      "away for a while."
  ),
  Command.withShortDescription("Watch consumer groups, also those that are not Weft's"),
  Command.withExamples([
    { command: "weft monitor --group 'loom-*' --interval 30s" },
    { command: "weft monitor --once --json", description: "For a cron job" }
  ])
)
