import * as ConfigStore from "@weft/config/ConfigStore"
import * as Admin from "@weft/kafka/Admin"
import * as Producer from "@weft/kafka/Producer"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import { RunningPipeline } from "@weft/pipeline/RunningPipeline"
import * as PostgresPipeline from "@weft/postgres/PostgresPipeline"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { Backends } from "../../Backends.ts"
import { type Answer, answer, Ended, fail, Json } from "../answer.ts"
import { configFailure } from "../database.ts"
import * as Scene from "../demoScene.ts"
import { durationFlag } from "../durations.ts"
import { chosenTransport, kafkaFailure } from "../kafka.ts"
import { fields, table } from "../table.ts"
import { answerWatching } from "../watch.ts"

interface Flags {
  readonly for: Duration.Duration
  readonly kafka: boolean
  readonly database: boolean
}

const service = "weft-demo"
const partitions = 4

/** What was sent so far, and what was processed at the last look. */
interface Tally {
  sent: number
  processed: number
  at: number
  isOver: boolean
}

const look = (tally: Tally): Effect.Effect<Answer, never, RunningPipeline> =>
  Effect.gen(function*() {
    const running = yield* RunningPipeline
    const now = yield* Clock.currentTimeMillis
    const totals = yield* running.totals
    const health = yield* running.health
    const rate = now > tally.at ? Math.round((totals.processed - tally.processed) * 1000 / (now - tally.at)) : 0
    tally.processed = totals.processed
    tally.at = now
    const held = (yield* running.consumer.snapshot).toSorted((a, b) => a.partition - b.partition)
    return {
      json: { sent: tally.sent, ...totals, perSecond: rate, ready: health.ready },
      text: (paint) =>
        [
          fields(paint, [
            ["records", `${tally.sent} sent, ${totals.processed} settled, ${rate} per second`],
            ["in flight", String(totals.inFlight)],
            ["attempts", `${totals.failures} failed, ${totals.retries} made again`],
            ["dead letters", String(totals.deadLetters)],
            ["member", health.ready ? paint.green("ready") : `${paint.yellow("not ready")}: ${health.reason}`]
          ]),
          "",
          table(paint, [
            { title: "PARTITION", value: (row) => row.partition, align: "right" },
            { title: "COMMITTED", value: (row) => row.committed ?? "none", align: "right" },
            { title: "SETTLED UP TO", value: (row) => row.watermark, align: "right" }
          ], held)
        ].join("\n")
    }
  })

/** What the group's offsets and the topics say in the end: the truth, whatever the pipeline believes. */
const verdict = Effect.fnUntraced(function*(topic: string, group: string, settled: number, deadLetters: number) {
  const lag = (yield* Admin.lag(group, [topic])).reduce((sum, one) => sum + one.lag, 0n)
  const admin = yield* Admin.Admin
  const ends = yield* admin.listOffsets(yield* Admin.partitionsOf([topic]), "latest")
  const written = ends.reduce((sum, { offset }) => sum + offset, 0n)
  return {
    json: { written, settled, deadLetters, notCommitted: lag },
    text: (paint) =>
      [
        "",
        `${written} records were written; ${settled} were settled, ${deadLetters} of them as dead letters in ${topic}.dlq`,
        lag === 0n
          ? paint.green("all of them are committed: nothing is lost, nothing would be repeated")
          : `${lag} were not reached; the next member would begin with them`
      ].join("\n")
  } satisfies Answer
})

/** A busy machine, or a broker that is away, takes its time for the last records. */
const mostSettling = Duration.minutes(1)

const untilSettled = Effect.fnUntraced(function*(topic: string) {
  const { consumer } = yield* RunningPipeline
  const admin = yield* Admin.Admin
  const ends = yield* admin.listOffsets(yield* Admin.partitionsOf([topic]), "latest")
  const isSettled = Effect.map(
    consumer.snapshot,
    (held) =>
      ends.every((end) =>
        end.offset === 0n ||
        held.some(({ partition, watermark }) => partition === end.partition && watermark >= end.offset)
      )
  )
  while (!(yield* isSettled)) yield* Effect.sleep("50 millis")
})

const stage = Effect.fnUntraced(function*(flags: Flags) {
  const suffix = (yield* Random.nextIntBetween(0, 2 ** 32)).toString(36)
  const topic = `weft-demo-${suffix}`
  const admin = yield* Admin.Admin
  yield* Effect.acquireRelease(
    admin.createTopics([{ name: topic, partitions }, { name: `${topic}.dlq`, partitions }]),
    () => flags.kafka ? Effect.ignore(admin.deleteTopics([topic, `${topic}.dlq`])) : Effect.void
  )
  const tally: Tally = { sent: 0, processed: 0, at: yield* Clock.currentTimeMillis, isOver: false }
  const running = yield* Pipeline.startWithin(Scene.pipeline(service, topic))
  yield* Effect.gen(function*() {
    const sending = yield* Effect.forkScoped(Scene.send(topic, (records) => tally.sent += records, () => tally.isOver))
    yield* Effect.raceFirst(
      answerWatching(look(tally), { watch: true, interval: Duration.seconds(1) }),
      Effect.sleep(flags.for)
    )
    tally.isOver = true
    yield* Effect.andThen(Fiber.await(sending), untilSettled(topic)).pipe(
      Effect.raceFirst(Effect.exit(running.failure)),
      Effect.timeoutOption(mostSettling)
    )
    const { config } = yield* running.configuration
    yield* running.shutdown
    const { deadLetters, processed } = yield* running.totals
    yield* answer(
      Effect.mapError(verdict(topic, config.consumerGroupId, processed, deadLetters), kafkaFailure)
    )
  }).pipe(Effect.provideService(RunningPipeline, running))
})

const show = Effect.fnUntraced(function*(flags: Flags) {
  const { database } = yield* Backends
  const transport = yield* chosenTransport
  const clients = Layer.mergeAll(Admin.layer, Producer.layer()).pipe(
    Layer.provideMerge(flags.kafka ? transport : MemoryCluster.layer)
  )
  const stores = flags.database
    ? Layer.provide(PostgresPipeline.layer, database)
    : Layer.mergeAll(ConfigStore.layerStatic({ sessionTimeoutMs: 10_000 }), MetricsSink.layerNone)
  const asJson = yield* Json
  return yield* Effect.provide(Effect.scoped(stage(flags)), Layer.mergeAll(clients, stores)).pipe(
    Effect.catchIf(
      (error) => !(error instanceof Ended),
      (error) => fail(error._tag === "DatabaseConfigError" ? configFailure(error) : kafkaFailure(error), asJson)
    )
  )
})

export const demo = Command.make("demo", {
  for: durationFlag("for").pipe(
    Flag.withDescription("How long, such as 30s or 2m; Ctrl-C ends it before"),
    Flag.withDefault(Duration.seconds(20))
  ),
  kafka: Flag.Boolean("kafka").pipe(
    Flag.withDescription(
      "On the brokers of KAFKA_BROKERS, in topics of its own that it deletes; without it, in this process"
    ),
    Flag.withDefault(false)
  ),
  database: Flag.Boolean("database").pipe(
    Flag.withDescription("Settings from and metrics to DATABASE_URL, as service weft-demo"),
    Flag.withDefault(false)
  )
}, (flags) => show(flags)).pipe(
  Command.withDescription(
    "Watch a consumer at work: orders come in, some fail and are tried again, some become dead letters. Needs nothing; in this process are a cluster and the consumer"
  ),
  Command.withShortDescription("Watch a consumer at work; needs neither Kafka nor a database"),
  Command.withExamples([
    { command: "weft demo" },
    {
      command: "weft demo --kafka --database --for 2m",
      description: "On real servers; weft metrics weft-demo --watch in another terminal"
    }
  ])
)
