/** The demo: a generator, the georegion detector, and somebody who watches it. */
import * as ConfigSetting from "@weft/config/Setting"
import { between, detected, locations, service } from "@weft/example-georegion-detector/Georegions"
import * as GeoregionDetector from "@weft/example-georegion-detector/GeoregionDetector"
import * as Tables from "@weft/example-georegion-detector/Tables"
import * as Admin from "@weft/kafka/Admin"
import * as Producer from "@weft/kafka/Producer"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import type { Transport } from "@weft/kafka/Transport"
import * as Pipeline from "@weft/pipeline/Pipeline"
import { RunningPipeline } from "@weft/pipeline/RunningPipeline"
import * as Postgres from "@weft/postgres/Postgres"
import * as PostgresPipeline from "@weft/postgres/PostgresPipeline"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Generator from "./Generator.ts"
import { logger } from "./LogLines.ts"
import * as Report from "./Report.ts"
import * as Screen from "./Screen.ts"
import { number } from "./Text.ts"
import { frame, type LogView, type Model, plain, type PartitionView } from "./View.ts"

export interface Options {
  readonly transport: Layer.Layer<Transport, { readonly message: string }>
  /** What runs the topics, in words. */
  readonly cluster: string
  readonly databaseUrl: string
  readonly seconds: number
  /** The terminal to draw on; lines are printed where there is none. */
  readonly terminal: NodeJS.WriteStream | undefined
  readonly hasColor: boolean
  readonly print: (line: string) => void
  /** Ends the demo before its time. */
  readonly stop: Effect.Effect<unknown>
}

/** The URL without its password. */
const shown = (databaseUrl: string): string => {
  const url = new URL(databaseUrl)
  url.password = ""
  return url.href
}

const partitions = 4
const samplesKept = 120
const logLinesKept = 200

/** What was seen so far. */
class Watch {
  produced = 0
  detected = 0
  consumed = 0
  rates: Array<number> = []
  partitions: ReadonlyArray<PartitionView> = []
  log: Array<LogView> = []
  group = ""
}

const topics = Effect.gen(function*() {
  const admin = yield* Admin.Admin
  yield* admin.createTopics([locations, detected].map((name) => ({ name, partitions })))
})

const endOf = Effect.fnUntraced(function*(topic: string) {
  const admin = yield* Admin.Admin
  const ends = yield* admin.listOffsets(yield* Admin.partitionsOf([topic]), "latest")
  return ends.reduce((sum, { offset }) => sum + Number(offset), 0)
})

const committedOf = Effect.fnUntraced(function*(group: string) {
  const admin = yield* Admin.Admin
  const offsets = yield* admin.committedOffsets(group, [locations])
  return offsets.reduce((sum, { offset }) => sum + Number(offset ?? 0n), 0)
})

const sampleMs = 500

/** The partitions as they are now; `lag` of the running pipeline is as old as its last metrics. */
const partitionViews = Effect.fnUntraced(function*() {
  const { consumer } = yield* RunningPipeline
  const partitions = yield* consumer.snapshot
  const named = partitions.map(({ partition, topic }) => TopicPartition.make(topic, partition))
  const ends = new Map((yield* consumer.endOffsets(named)).map(({ offset, partition }) => [partition, offset]))
  return partitions
    .map(({ committed, partition, topic, watermark }): PartitionView => {
      const end = ends.get(partition) ?? watermark
      return { topic, partition, committed: committed ?? 0n, end, lag: end > watermark ? end - watermark : 0n }
    })
    .sort((a, b) => a.partition - b.partition)
})

/** Looks at what runs, twice a second. */
const observe = Effect.fnUntraced(function*(watch: Watch, detectedBefore: number) {
  const running = yield* RunningPipeline
  const sample = Effect.gen(function*() {
    const { processed } = yield* running.totals
    watch.rates = [...watch.rates, (processed - watch.consumed) * 1000 / sampleMs].slice(-samplesKept)
    watch.consumed = processed
    watch.partitions = yield* partitionViews()
    watch.detected = (yield* endOf(detected)) - detectedBefore
  })
  yield* Effect.repeat(Effect.ignore(sample), Schedule.fixed(sampleMs))
})

const model = Effect.fnUntraced(function*(options: Options, watch: Watch, began: number): Effect.fn.Return<
  Model,
  never,
  RunningPipeline
> {
  const running = yield* RunningPipeline
  const { config, provenance } = yield* running.configuration
  return {
    service,
    group: config.consumerGroupId,
    cluster: options.cluster,
    databaseUrl: shown(options.databaseUrl),
    elapsedMs: (yield* Clock.currentTimeMillis) - began,
    totalMs: options.seconds * 1000,
    produced: watch.produced,
    consumed: watch.consumed,
    detected: watch.detected,
    rates: watch.rates,
    partitions: watch.partitions,
    settings: ConfigSetting.keys.map((key) => ({
      name: ConfigSetting.settings[key].sql,
      value: String(provenance[key].value),
      source: provenance[key].source
    })),
    log: watch.log
  }
})

/** Draws five times a second, or prints a line every two seconds. */
const show = Effect.fnUntraced(function*(options: Options, watch: Watch, began: number) {
  if (options.terminal === undefined) {
    const line = Effect.map(model(options, watch, began), (now) => options.print(plain(now)))
    return yield* Effect.repeat(Effect.delay(line, "2 seconds"), Schedule.forever)
  }
  const screen = yield* Screen.open(options.terminal, options.hasColor)
  const draw = Effect.map(model(options, watch, began), (now) => screen.draw(frame(now, screen.size())))
  return yield* Effect.repeat(draw, Schedule.fixed("200 millis"))
})

/** Runs the pipeline until the time is over, or somebody says stop, or it fails for good; then it drains and commits. */
const watched = Effect.fnUntraced(function*(options: Options, watch: Watch, detectedBefore: number) {
  const running = yield* RunningPipeline
  const began = yield* Clock.currentTimeMillis
  yield* Effect.forkScoped(Generator.run((records) => {
    watch.produced += records
  }))
  yield* Effect.forkScoped(observe(watch, detectedBefore))
  yield* Effect.forkScoped(show(options, watch, began))
  yield* Effect.raceAll([Effect.sleep(options.seconds * 1000), options.stop, running.failure])
  watch.group = (yield* running.configuration).config.consumerGroupId
  yield* running.shutdown
  watch.consumed = (yield* running.totals).processed
})

const summary = (options: Options, watch: Watch, seconds: number, committed: number): ReadonlyArray<string> => [
  `${service} ran for ${number(seconds)} s (${options.cluster})`,
  "",
  `  produced   ${number(watch.produced).padStart(9)}  locations, to ${locations}`,
  `  consumed   ${number(watch.consumed).padStart(9)}  in group ${watch.group}`,
  `  committed  ${number(committed).padStart(9)}`,
  `  detected   ${number(watch.detected).padStart(9)}  regions, sent to ${detected}`,
  "",
  `stored in ${shown(options.databaseUrl)}`
]

export const run = Effect.fnUntraced(function*(options: Options) {
  const watch = new Watch()
  const take = (line: LogView) => {
    if (options.terminal === undefined) {
      options.print(`${new Date(line.at).toISOString().slice(11, 19)} ${line.level.padEnd(5)} ${line.text}`)
    }
    watch.log = [...watch.log, line].slice(-logLinesKept)
  }

  const database = Postgres.layerUrl(Redacted.make(options.databaseUrl), { applicationName: "weft-demo" })
  const clients = Layer.mergeAll(Producer.layer(), Admin.layer).pipe(Layer.provideMerge(options.transport))
  const pipeline = Pipeline.layer(between(locations, detected, { metricsInterval: "2 seconds" })).pipe(
    Layer.provide([GeoregionDetector.layerPostgres, PostgresPipeline.layer]),
    Layer.provide(Tables.layer)
  )
  yield* Effect.gen(function*() {
    const began = yield* Clock.currentTimeMillis
    options.print(`DATABASE_URL=${shown(options.databaseUrl)}`)
    yield* topics
    const detectedBefore = yield* endOf(detected)
    const committedBefore = yield* Effect.orElseSucceed(committedOf("loom-georegion"), () => 0)
    yield* Effect.scoped(watched(options, watch, detectedBefore)).pipe(Effect.provide(pipeline))
    const committed = (yield* committedOf(watch.group)) - committedBefore
    watch.detected = (yield* endOf(detected)) - detectedBefore
    const seconds = ((yield* Clock.currentTimeMillis) - began) / 1000
    const lines = [...summary(options, watch, seconds, committed), ...(yield* Report.stored(new Date(began)))]
    for (const line of lines) options.print(line)
  }).pipe(Effect.provide(Layer.mergeAll(clients, database).pipe(Layer.provideMerge(Logger.layer([logger(take)])))))
})
