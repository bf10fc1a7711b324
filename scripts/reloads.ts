/**
 * `npm run reloads -- --changes 200 --seconds 60 [--seed S]`: on a real Kafka and a real PostgreSQL, rows change under load.
 *
 * 1. Hot changes (of the consumer, and of the processing), rejoins and invalid values, mixed: nothing is lost or
 *    repeated, valid changes apply in order, invalid ones are refused with reasons. Prints how long a hot change takes
 *    from its COMMIT until it is applied.
 * 2. Three members, one change that needs a rejoin: never are two of them out of the group.
 * 3. PostgreSQL is away for a while: consumption goes on, and the change made by its end is applied.
 */
import { message } from "@weft/config/ConfigIssue"
import { ConfigStore } from "@weft/config/ConfigStore"
import * as Codec from "@weft/kafka/Codec"
import * as Producer from "@weft/kafka/Producer"
import { KafkaJs } from "@weft/kafkajs"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Postgres from "@weft/postgres/Postgres"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresRejoinTurns from "@weft/postgres/PostgresRejoinTurns"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Admin from "@weft/kafka/Admin"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Exit from "effect/Exit"
import { SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { parseArgs } from "node:util"
import { startKafka } from "./servers/kafka.ts"
import { startPostgres } from "./servers/postgres.ts"

const { values } = parseArgs({
  options: {
    changes: { type: "string", default: "200" },
    seconds: { type: "string", default: "60" },
    outage: { type: "string", default: "60" },
    seed: { type: "string", default: "reloads" }
  }
})
const [changes, seconds, outage] = [values.changes, values.seconds, values.outage].map(Number) as [
  number,
  number,
  number
]
if (![changes, seconds, outage].every((number) => Number.isFinite(number) && number > 0)) {
  console.error("--changes, --seconds and --outage take numbers above 0")
  process.exit(2)
}

const service = "reloaded"
const group = "reloads"
const topic = "reloads"
const partitions = 4
const perSecond = 1_000

const failures: Array<string> = []
const check = (holds: boolean, what: string): void => {
  if (!holds) failures.push(what)
  console.log(`${holds ? "ok  " : "FAIL"} ${what}`)
}

const quantile = (sorted: ReadonlyArray<number>, q: number): string =>
  (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN).toFixed(1)

/** Every record that a member processed, by partition and offset. */
interface Seen {
  readonly counts: Map<string, number>
  total: number
}

const pipelineOf = (seen: Seen) =>
  Pipeline.make({
    service,
    topics: [topic],
    value: Codec.string,
    process: (record) =>
      Effect.sync(() => {
        const key = `${record.partition}@${record.offset}`
        seen.counts.set(key, (seen.counts.get(key) ?? 0) + 1)
        seen.total++
      })
  })

const produceFor = (stop: Ref.Ref<boolean>, sent: Ref.Ref<number>) =>
  Effect.gen(function*() {
    const producer = yield* Producer.Producer
    while (!(yield* Ref.get(stop))) {
      const from = yield* Ref.get(sent)
      const batch = Array.from({ length: perSecond / 20 }, (_, i) => ({
        topic,
        partition: (from + i) % partitions,
        value: String(from + i)
      }))
      yield* Effect.orDie(producer.sendAll(batch))
      yield* Ref.update(sent, (n) => n + batch.length)
      yield* Effect.sleep(50)
    }
  })

const caughtUp = (seen: Seen, sent: Ref.Ref<number>) =>
  Effect.gen(function*() {
    const total = yield* Ref.get(sent)
    for (let i = 0; i < 600 && seen.counts.size < total; i++) yield* Effect.sleep(100)
    return total
  })

const checkDelivery = (seen: Seen, total: number, where: string): void => {
  check(seen.counts.size === total, `${where}: ${total} records sent, ${total - seen.counts.size} lost`)
  check(seen.total === seen.counts.size, `${where}: ${seen.total - seen.counts.size} repeated`)
}

const set = (column: string, value: number | string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    yield* sql`UPDATE pipeline_consumer_configs SET ${sql(column)} = ${value} WHERE service_name = ${service}`
  })

const mixed = Effect.scoped(Effect.gen(function*() {
  const seen: Seen = { counts: new Map(), total: 0 }
  const { configuration, consumer } = yield* Pipeline.startWithin(pipelineOf(seen))
  const stop = yield* Ref.make(false)
  const sent = yield* Ref.make(0)
  yield* Effect.forkScoped(produceFor(stop, sent))
  yield* Effect.sleep(3_000)

  const appliedAt = new Map<string, number>()
  const order: Array<number> = []
  yield* Effect.forkScoped(Stream.runForEach(consumer.events, (event) =>
    Effect.sync(() => {
      if (event._tag !== "Reconfigured") return
      for (const change of event.changes) {
        appliedAt.set(change.replace(/ .* -> /, " "), performance.now())
        const polled = /^maxPollRecords \d+ -> (\d+)$/.exec(change)
        if (polled !== null) order.push(Number(polled[1]))
      }
    })))
  // What concerns the processing is no setting of the consumer, and none of its events tells it.
  yield* Effect.forkScoped(Effect.forever(Effect.gen(function*() {
    const { config } = yield* configuration
    const change = `concurrency ${config.concurrency}`
    if (!appliedAt.has(change)) appliedAt.set(change, performance.now())
    yield* Effect.sleep(5)
  })))
  const reasons = new Map<number, string>()
  const store = yield* ConfigStore
  const committedAt = new Map<string, number>()
  let hot = 0
  let work = 0
  let rejoins = 0
  let invalid = 0
  let session = 30_000
  for (let i = 0; i < changes; i++) {
    const draw = yield* Random.next
    if (draw < 0.1) {
      invalid++
      yield* set("max_poll_records", 5_001 + i)
      for (const issue of (yield* store.load(service)).issues) {
        if (issue._tag === "OutOfBounds") reasons.set(Number(issue.raw), message(issue))
      }
    } else if (draw < 0.25) {
      rejoins++
      session = 30_000 + 100 * (i + 1)
      yield* set("session_timeout_ms", session)
    } else if (draw < 0.45) {
      work++
      yield* set("concurrency", partitions + i)
      committedAt.set(`concurrency ${partitions + i}`, performance.now())
    } else {
      hot++
      yield* set("max_poll_records", 100 + i)
      committedAt.set(`maxPollRecords ${100 + i}`, performance.now())
    }
    yield* Effect.sleep(seconds * 1_000 / changes)
  }
  yield* set("max_poll_records", 4_999)
  yield* Effect.sleep(5_000)
  yield* Ref.set(stop, true)
  checkDelivery(seen, yield* caughtUp(seen, sent), `${changes} changes in ${seconds} s`)
  const settings = yield* consumer.settings
  check(
    settings.maxPollRecords === 4_999 && settings.sessionTimeoutMs === session,
    `the last values apply: max_poll_records ${settings.maxPollRecords}, session_timeout_ms ${settings.sessionTimeoutMs}`
  )
  // A refused value falls back to the default in between, which is no change of the row.
  const own = order.filter((value) => value !== 100 && value !== 4_999)
  check(
    own.every((value, i) => i === 0 || value > own[i - 1]!),
    `${own.length} of ${hot} hot changes apply one by one, in the order of their commits`
  )
  const works = [...appliedAt.keys()].filter((change) => change.startsWith("concurrency "))
    .map((change) => Number(change.slice("concurrency ".length))).filter((value) => value > 0)
  check(
    works.every((value, i) => i === 0 || value > works[i - 1]!),
    `${works.length} of ${work} changes of the processing apply one by one, in the order of their commits`
  )
  check(
    !own.some((value) => value > 5_000) && reasons.size === invalid,
    `${invalid} invalid values are refused, ${reasons.size} of them with a reason: ${[...reasons.values()][0] ?? ""}`
  )
  check((yield* configuration).issues.every((issue) => issue._tag !== "OutOfBounds"), "no refusal outlives its value")
  const latencies = [...committedAt].flatMap(([change, at]) => {
    const applied = appliedAt.get(change)
    return applied === undefined ? [] : [Math.max(0, applied - at)]
  }).sort((a, b) => a - b)
  console.log(
    `     ${hot + work} hot, ${rejoins} rejoin, ${invalid} invalid; COMMIT to applied, hot: median ${
      quantile(latencies, 0.5)
    } ms, ` +
      `p99 ${quantile(latencies, 0.99)} ms over ${latencies.length}`
  )
  return { seen, sent }
}))

const inTurn = Effect.scoped(Effect.gen(function*() {
  const members = yield* Effect.forEach(
    [1, 2, 3],
    () => Pipeline.startWithin(pipelineOf({ counts: new Map(), total: 0 }))
  )
  yield* Effect.sleep(6_000)
  /** Who has left and not come back, as the members tell it. */
  const out = new Set<number>()
  const story: Array<string> = []
  const started = performance.now()
  let most = 0
  let accepted = 0
  for (const [i, { consumer }] of members.entries()) {
    yield* Effect.forkScoped(Stream.runForEach(consumer.events, (event) =>
      Effect.sync(() => {
        const at = `${((performance.now() - started) / 1000).toFixed(2)} s`
        if (event._tag === "Left") {
          out.add(i)
          story.push(`${at} member ${i + 1} leaves`)
        }
        if (event._tag === "SettingsAccepted") {
          out.delete(i)
          accepted++
          story.push(`${at} member ${i + 1} is back`)
        }
        most = Math.max(most, out.size)
      })))
  }
  yield* set("session_timeout_ms", 44_000)
  for (let i = 0; i < 300 && accepted < 3; i++) yield* Effect.sleep(100)
  for (const line of story) console.log(`     ${line}`)
  check(accepted === 3, `three members, one change: ${accepted} have rejoined`)
  check(most <= 1, `at most ${most} of them out of the group at a time`)
}))

const outageOf = (database: { readonly halt: () => Promise<void>; readonly restart: () => Promise<void> }) =>
  Effect.scoped(Effect.gen(function*() {
    const seen: Seen = { counts: new Map(), total: 0 }
    const { consumer } = yield* Pipeline.startWithin(pipelineOf(seen))
    const stop = yield* Ref.make(false)
    const sent = yield* Ref.make(0)
    const before = seen.total
    yield* Effect.sleep(4_000)
    const old = seen.counts.size
    yield* Effect.forkScoped(produceFor(stop, sent))
    const rateOver = (ms: number) =>
      Effect.gen(function*() {
        const from = seen.total
        yield* Effect.sleep(ms)
        return Math.round((seen.total - from) / ms * 1000)
      })
    const rates = [yield* rateOver(5_000)]
    yield* Effect.promise(database.halt)
    rates.push(yield* rateOver(outage * 1_000))
    yield* Effect.promise(database.restart)
    // The listener is not back yet: nobody hears of this one by NOTIFY.
    yield* set("max_poll_records", 321).pipe(Effect.retry({ times: 100 }))
    rates.push(yield* rateOver(10_000))
    for (let i = 0; i < 400 && (yield* consumer.settings).maxPollRecords !== 321; i++) yield* Effect.sleep(100)
    check((yield* consumer.settings).maxPollRecords === 321, "the change made while the listener was away applies")
    yield* Ref.set(stop, true)
    yield* Effect.sleep(2_000)
    console.log(`     records/s before, during ${outage} s without PostgreSQL, and after: ${rates.join(", ")}`)
    check(rates[1]! > rates[0]! * 0.5, "consumption goes on without PostgreSQL")
    const total = yield* Ref.get(sent)
    check(seen.counts.size - old === total && before === 0, `${total} records sent, none lost, none repeated`)
  }))

const kafka = await startKafka({ nodes: 1 })
const database = await startPostgres()
const url = await database.createDatabase("weft_reloads")
const live = Layer.mergeAll(
  PostgresConfigStore.layer,
  PostgresRejoinTurns.layer,
  PostgresAppliedConfigs.layer,
  MetricsSink.layerNone
).pipe(
  Layer.provideMerge(Layer.merge(Postgres.layerUrl(Redacted.make(url)), Layer.merge(Producer.layer(), Admin.layer))),
  Layer.provideMerge(KafkaJs.layer({ brokers: kafka.brokers })),
  Layer.provideMerge(Logger.layer([]))
)

const program = Effect.gen(function*() {
  yield* SqlMigrator.run()
  const sql = yield* SqlClient
  yield* sql`INSERT INTO pipeline_consumer_configs
    (service_name, consumer_group_id, max_poll_records, session_timeout_ms, heartbeat_interval_ms)
    VALUES (${service}, ${group}, 100, 30000, 500)`
  const admin = yield* Admin.Admin
  yield* admin.createTopics([{ name: topic, partitions, replicationFactor: 1 }])
  yield* mixed
  yield* inTurn
  yield* outageOf(database)
})

const exit = await Effect.runPromise(
  Effect.exit(Effect.provide(program, live)).pipe(Effect.scoped, Random.withSeed(values.seed))
)
await database.stop()
await kafka.stop()
if (Exit.isFailure(exit)) console.error(exit.cause)
console.log(failures.length === 0 && Exit.isSuccess(exit) ? "all hold" : `${failures.length} do not hold`)
process.exit(failures.length === 0 && Exit.isSuccess(exit) ? 0 : 1)
