/**
 * `npm run recommend:prove [-- --only lag]`: the four common issues, each made on purpose on a real Kafka and a real
 * PostgreSQL, with members in processes of their own.
 *
 * For each: two intervals after the first measurement `weft recommend` has the recommendation; it is applied by
 * `weft recommend --apply`; the figures before and after show that the issue is gone.
 */
import * as Admin from "@weft/kafka/Admin"
import * as Producer from "@weft/kafka/Producer"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import type { Evidence } from "@weft/pipeline/RecommendationEvidence"
import * as RecommendationEvidence from "@weft/pipeline/RecommendationEvidence"
import * as MetricsHistory from "@weft/postgres/MetricsHistory"
import * as Postgres from "@weft/postgres/Postgres"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { type Figure, figures, type Name, type Situation, situations } from "./recommendations/situations.ts"
import { startKafka } from "./servers/kafka.ts"
import { startPostgres } from "./servers/postgres.ts"

const { values } = parseArgs({ options: { only: { type: "string" } } })
const names = Object.keys(situations) as ReadonlyArray<Name>
if (values.only !== undefined && !names.includes(values.only as Name)) {
  console.error(`--only takes one of ${names.join(", ")}`)
  process.exit(2)
}

const memberProgram = fileURLToPath(new URL("./recommendations/member.ts", import.meta.url))
const weftProgram = fileURLToPath(new URL("../packages/cli/src/main.ts", import.meta.url))
const intervalSeconds = 10

const failures: Array<string> = []
const check = (holds: boolean, what: string): void => {
  if (!holds) failures.push(what)
  console.log(`${holds ? "ok  " : "FAIL"} ${what}`)
}

const kafka = await startKafka({ nodes: 1 })
const postgres = await startPostgres()
const url = await postgres.createDatabase("weft_recommendations")
const env = { ...process.env, DATABASE_URL: url, KAFKA_BROKERS: kafka.brokers.join(",") }

const member = (name: Name, topic: string) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [memberProgram, name, topic], { env, stdio: "inherit" })),
    (child) =>
      Effect.promise(async () => {
        if (child.exitCode !== null) return
        child.kill("SIGTERM")
        const slow = setTimeout(() => child.kill("SIGKILL"), 15_000)
        await once(child, "exit")
        clearTimeout(slow)
      })
  )

/** The command as a shell starts it: what it said, and how it ended. */
const weft = (...args: ReadonlyArray<string>) =>
  Effect.promise(() =>
    new Promise<{ readonly code: number; readonly out: string }>((resolve) => {
      execFile(process.execPath, [weftProgram, ...args], { env }, (error, stdout, stderr) =>
        resolve({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : 1, out: stdout + stderr }))
    })
  )

const say = (command: string, { out }: { readonly out: string }) => {
  console.log(`     $ weft ${command}`)
  for (const line of out.trimEnd().split("\n")) console.log(`     ${line}`)
}

const produce = (situation: Situation, topic: string) => {
  const { backlog, partitions, perSecond, valueBytes } = situation
  const value = new Uint8Array(valueBytes).fill(120)
  const send = (from: number, count: number) =>
    Effect.flatMap(Producer.Producer, (producer) =>
      Effect.orDie(producer.sendAll(
        Array.from({ length: count }, (_, i) => ({
          topic,
          partition: (from + i) % partitions,
          key: new TextEncoder().encode(`k${(from + i) % 101}`),
          value
        }))
      )))
  const perSend = 400
  return {
    before: Effect.forEach(
      Array.from({ length: Math.ceil(backlog / perSend) }, (_, i) => i * perSend),
      (from) => send(from, Math.min(perSend, backlog - from)),
      { discard: true }
    ),
    meanwhile: Effect.gen(function*() {
      if (perSecond === 0) return yield* Effect.never
      const from = yield* Clock.currentTimeMillis
      let sent = 0
      while (true) {
        const due = Math.floor(((yield* Clock.currentTimeMillis) - from) * perSecond / 1_000)
        if (due > sent) {
          yield* send(sent, Math.min(due - sent, 2_000))
          sent += Math.min(due - sent, 2_000)
        }
        yield* Effect.sleep(100)
      }
    })
  }
}

/** Of the measurements that were begun after a moment. */
const seenSince = (service: string, since: number) =>
  Effect.gen(function*() {
    const history = yield* MetricsHistory.MetricsHistory
    return RecommendationEvidence.make(service, yield* history.measurements({ service, since }), { since })
  })

const rounded = (value: number): string => String(Number(value.toPrecision(3)))

const compare = (before: Evidence, after: Evidence): void => {
  const rows = (Object.keys(figures) as ReadonlyArray<Figure>).map((figure) => [
    figure,
    rounded(figures[figure](before)),
    rounded(figures[figure](after))
  ])
  for (const [figure, from, to] of [["", "before", "after"], ...rows]) {
    console.log(`     ${figure!.padEnd(36)} ${from!.padStart(10)} ${to!.padStart(10)}`)
  }
}

const now = Clock.currentTimeMillis

/** Until the service has measured itself so often since a moment. */
const intervalsSince = (service: string, since: number, intervals: number) =>
  Effect.gen(function*() {
    for (let i = 0; i < 240; i++) {
      const seen = yield* seenSince(service, since)
      if (seen !== undefined && seen.intervals >= intervals) return seen
      yield* Effect.sleep(500)
    }
    return yield* Effect.die(new Error(`${service} has not measured itself`))
  })

const prove = Effect.fnUntraced(function*(name: Name) {
  const situation = situations[name]
  const service = `${name}-service`
  const topic = `recommend-${name}`
  const [figure, isThere] = situation.symptom
  console.log(`\n${situation.title}`)
  const admin = yield* Admin.Admin
  yield* admin.createTopics([{ name: topic, partitions: situation.partitions, replicationFactor: 1 }])
  const row = Object.entries({ ...situation.row, metrics_interval_ms: intervalSeconds * 1_000 })
  yield* weft("config", "set", service, ...row.map(([column, value]) => `${column}=${value}`))
  const load = produce(situation, topic)
  yield* load.before
  const started = yield* now
  for (let i = 0; i < situation.members; i++) yield* member(name, topic)
  yield* Effect.forkScoped(load.meanwhile)

  yield* intervalsSince(service, started, 2)
  const seconds = Math.round(((yield* now) - started) / 1_000)
  const before = (yield* seenSince(service, started))!
  const recommended = yield* weft("recommend", service)
  say(`recommend ${service}`, recommended)
  check(isThere(figures[figure](before)), `${name}: the issue is there: ${figure} ${rounded(figures[figure](before))}`)
  check(
    recommended.out.includes(`: ${situation.rule}`),
    `${name}: ${situation.rule} is recommended after two intervals of ${intervalSeconds} s, ${seconds} s after the start`
  )
  const applied = yield* weft("recommend", "--apply", service, situation.rule)
  say(`recommend --apply ${service} ${situation.rule}`, applied)
  check(applied.code === 0, `${name}: it is applied`)

  yield* Effect.sleep(situation.settlesInSeconds * 1_000)
  const after = yield* intervalsSince(service, yield* now, 2)
  compare(before, after)
  check(!isThere(figures[figure](after)), `${name}: the issue is gone: ${figure} ${rounded(figures[figure](after))}`)
  const still = JSON.parse((yield* weft("recommend", service, "--json")).out) as ReadonlyArray<
    { readonly rule: string }
  >
  check(!still.some(({ rule }) => rule === situation.rule), `${name}: ${situation.rule} is no longer recommended`)
}, Effect.scoped)

const live = MetricsHistory.layer.pipe(
  Layer.provideMerge(Postgres.layerUrl(Redacted.make(url))),
  Layer.provideMerge(Layer.merge(Producer.layer(), Admin.layer)),
  Layer.provideMerge(KafkaJs.layer({ brokers: kafka.brokers })),
  Layer.provideMerge(Logger.layer([]))
)

const program = Effect.gen(function*() {
  yield* SqlMigrator.run()
  yield* Effect.forEach(names.filter((name) => values.only === undefined || values.only === name), prove, {
    discard: true
  })
})

const exit = await Effect.runPromiseExit(Effect.provide(program, live))
await postgres.stop()
await kafka.stop()
if (Exit.isFailure(exit)) console.error(exit.cause)
const holds = failures.length === 0 && Exit.isSuccess(exit)
console.log(holds ? "\nall hold" : `\n${failures.length} do not hold`)
process.exit(holds ? 0 : 1)
