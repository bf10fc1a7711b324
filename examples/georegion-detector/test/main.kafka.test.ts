import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Admin from "@weft/kafka/Admin"
import * as Producer from "@weft/kafka/Producer"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Postgres from "@weft/postgres/Postgres"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { spawn } from "node:child_process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { createTopic } from "../../../scripts/servers/createTopic.ts"
import { portsFrom } from "../../../scripts/servers/ports.ts"
import { brokers, freshDatabase, freshGroup } from "../../../test-support/servers.ts"
import { detected, locations, service } from "../src/Georegions.ts"
import * as Tables from "../src/Tables.ts"

const program = fileURLToPath(new URL("../src/main.ts", import.meta.url))

/** Takes spans as a collector does, and keeps the bodies. */
const collector = Effect.acquireRelease(
  Effect.promise(async () => {
    const bodies: Array<string> = []
    const server = createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8").on("data", (text: string) => {
        body += text
      })
      request.on("end", () => {
        bodies.push(`${request.url} ${body}`)
        response.writeHead(200, { "content-type": "application/json" }).end("{}")
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return { server, bodies, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }),
  ({ server }) => Effect.sync(() => server.close())
)

const started = (environment: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const { PATH } = process.env
      const child = spawn(process.execPath, [program], {
        env: { ...(PATH !== undefined && { PATH }), ...environment },
        stdio: ["ignore", "pipe", "pipe"]
      })
      const seen = { log: "" }
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          seen.log += text
        })
      }
      const exited = new Promise<number | null>((resolve) => child.once("close", resolve))
      return { child, exited, seen }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>, isSo: (value: A) => boolean) =>
  effect.pipe(Effect.repeat({ until: isSo, schedule: Schedule.spaced("100 millis") }), Effect.timeout("1 minute"))

const location = {
  trace_id: "trace",
  device_id: "device",
  timestamp: "2026-03-01T12:00:00Z",
  schema_version: "v1",
  data: { latitude: 52.5219, longitude: 13.4132 }
}

/** How many partitions the log says are being read. */
const begun = (log: string): number =>
  log.split("reading from offset").length - 1
  + [...log.matchAll(/reading (\d+) partitions/g)].reduce((sum, [, partitions]) => sum + Number(partitions), 0)

describe("the georegion detector as a program", () => {
  it.live(
    "runs by its environment, sends spans to a collector, and ends with 0 at SIGTERM",
    () =>
      Effect.gen(function*() {
        const url = yield* Effect.promise(freshDatabase)
        const group = freshGroup("georegion-main")
        const { bodies, url: endpoint } = yield* collector
        // None that the system gives to others in the seconds until the program listens.
        const [port] = yield* Effect.promise(() => portsFrom(undefined, 1))

        yield* Effect.gen(function*() {
          const sql = yield* PgClient.PgClient
          for (const topic of [locations, detected]) {
            yield* Effect.promise(() => createTopic(brokers(), { topic, numPartitions: 4 }))
          }
          yield* Tables.create
          yield* sql`
          UPDATE pipeline_consumer_configs SET consumer_group_id = ${group}, auto_offset_reset = 'latest'
          WHERE service_name = ${service}`
          const { child, exited, seen } = yield* started({
            KAFKA_BROKERS: brokers().join(","),
            DATABASE_URL: url,
            OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
            WEFT_HEALTH_PORT: String(port),
            WEFT_HEALTH_HOST: "127.0.0.1"
          })
          yield* eventually(Effect.sync(() => seen.log), (log) => begun(log) >= 4)
          yield* Producer.sendOne({ topic: locations, key: "device", value: JSON.stringify(location) })
          yield* eventually(
            Admin.lag(group, [locations]),
            (lags) => lags.some(({ committed }) => committed !== undefined)
          )
          for (const path of ["health/started", "health/ready", "health/live", "metrics"]) {
            assert.strictEqual(
              (yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/${path}`))).status,
              200,
              path
            )
          }
          const turns = yield* eventually(
            sql<{ readonly name: string }>`SELECT name FROM consumer_alert_turns`,
            ({ length }) => length > 0
          )
          assert.deepStrictEqual(turns.map(({ name }) => name), ["evaluate"])
          child.kill("SIGTERM")
          assert.strictEqual(yield* Effect.promise(() => exited), 0, seen.log)
        }).pipe(Effect.provide(
          Layer.mergeAll(Producer.layer(), Admin.layer).pipe(
            Layer.provide(KafkaJs.layer({ brokers: brokers() })),
            Layer.merge(Postgres.layerUrl(Redacted.make(url)))
          )
        ))

        const spans = bodies.filter((body) => body.startsWith("/v1/traces ")).join()
        assert.include(spans, `"stringValue":"${service}"`)
        assert.include(spans, `"name":"process ${locations}"`)
      }).pipe(Effect.scoped),
    300_000
  )

  it.live("says what is wrong with its environment, without secrets, and does not start", () =>
    Effect.gen(function*() {
      const url = yield* Effect.promise(freshDatabase)
      const common = { KAFKA_BROKERS: brokers().join(","), DATABASE_URL: url }
      for (
        const [name, value, said] of [
          ["WEFT_HEALTH_PORT", "http", "WEFT_HEALTH_PORT cannot be used: it accepts a port, from 0 to 65535"],
          ["WEFT_ALERT_WEBHOOK_URL", "verysecret", "WEFT_ALERT_WEBHOOK_URL is not a web address"]
        ] as const
      ) {
        const { exited, seen } = yield* started({ ...common, [name]: value })
        assert.notStrictEqual(yield* Effect.promise(() => exited), 0)
        assert.include(seen.log, said)
        assert.notInclude(seen.log, "verysecret")
      }
    }).pipe(Effect.scoped), 300_000)
})
