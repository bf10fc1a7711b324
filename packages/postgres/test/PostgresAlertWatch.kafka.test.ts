/** Alerts on services that run: a real Kafka, a real PostgreSQL, a real webhook. */
import { assert, describe, it } from "@effect/vitest"
import * as LastKnownGood from "@weft/config/LastKnownGood"
import * as Admin from "@weft/kafka/Admin"
import * as Codec from "@weft/kafka/Codec"
import * as Producer from "@weft/kafka/Producer"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as AlertRules from "@weft/pipeline/AlertRules"
import * as GroupMonitor from "@weft/pipeline/GroupMonitor"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as PostgresAlerts from "@weft/postgres/PostgresAlerts"
import * as PostgresAlertWatch from "@weft/postgres/PostgresAlertWatch"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { brokers, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import { migrated } from "./support/database.ts"
import { until } from "./support/until.ts"

/** A webhook that is down for its first three requests. */
const webhook = Effect.gen(function*() {
  const texts: Array<string> = []
  let attempts = 0
  const http = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
      if (++attempts <= 3) return response.writeHead(503).end()
      const { attachments } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as {
        readonly attachments: ReadonlyArray<{ readonly fallback: string }>
      }
      texts.push(...attachments.map(({ fallback }) => fallback))
      return response.writeHead(200).end("ok")
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void http.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.callback<void>((resume) => {
        http.closeAllConnections()
        http.close(() => resume(Effect.void))
      })
  )
  return { texts, attempts: () => attempts, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/hook` }
})

/** The rules of lag as they are, without their patience. */
const rules = AlertRules.rules.filter(({ kind }) => kind === "lag").map((rule) => ({
  ...rule,
  hysteresis: { ...rule.hysteresis, openAfterMs: 0, closeAfterMs: 0 }
}))

const watching = (url: string) =>
  Layer.fresh(PostgresAlertWatch.layerWith({
    watch: { interval: "500 millis", rules },
    delivery: { interval: "500 millis", backOffMax: "500 millis" }
  })).pipe(
    Layer.provide(Layer.succeed(
      ConfigProvider.ConfigProvider,
      ConfigProvider.fromEnv({ env: { WEFT_ALERT_WEBHOOK_URL: url } })
    ))
  )

const services = Layer.mergeAll(
  PostgresConfigStore.layerWith({ lastKnownGood: LastKnownGood.layerNone }),
  PostgresMetricsSink.layer,
  Admin.layer,
  Producer.layer({ clientId: "test" })
)

describe("PostgresAlertWatch", { timeout: 300_000 }, () => {
  it.live("a service that falls behind, and a group that is only watched: opened, told though the webhook fails at first, closed", () =>
    Effect.gen(function*() {
      const topic = yield* Effect.promise(() => freshTopic("alerts", 2))
      const foreign = freshGroup("foreign")
      const { attempts, texts, url } = yield* webhook
      // Two members, in one process: the rows must be the same as with one.
      yield* Layer.build(watching(url))
      yield* Layer.build(watching(url))

      const producer = yield* Producer.Producer
      const admin = yield* Admin.Admin
      // Before anybody looks: what opens while it grows is told with what there was by then.
      yield* producer.sendAll(
        Array.from({ length: 3_000 }, (_, n) => ({ topic, partition: n % 2, value: String(n) }))
      )
      const gate = yield* Deferred.make<void>()
      let done = 0
      yield* Pipeline.startWithin(Pipeline.make({
        service: "alerting",
        topics: [topic],
        value: Codec.bytes,
        metricsInterval: "500 millis",
        overrides: { groupId: freshGroup("alerting"), drainTimeoutMs: 1_000 },
        batch: { size: 500, window: "20 millis" },
        processBatch: (records) => Effect.map(Deferred.await(gate), () => void (done += records.length))
      }))
      yield* admin.setOffsets(foreign, [{ topic, partition: 0, offset: 0n }, { topic, partition: 1, offset: 0n }])
      const monitor = GroupMonitor.make({ groups: (group) => group === foreign })
      yield* Effect.forkScoped(GroupMonitor.run(monitor, { interval: "500 millis" }))

      yield* until("both told", Effect.sync(() => texts.length >= 2))
      assert.isAtLeast(attempts(), 4)
      // Told of when it opens, with the partitions that were sampled by then; the others a look or a refresh later.
      let open = yield* PostgresAlerts.list()
      const areBothBehind = Effect.map(PostgresAlerts.list(), (found) => {
        open = found
        return open.every(({ evidence }) => evidence["partitionsBehind"] === 2)
      })
      yield* until("both partitions", areBothBehind)
      assert.deepStrictEqual(
        new Set(open.map(({ kind, service, severity, topic }) => `${service} ${kind} ${severity} ${topic}`)),
        new Set([`alerting lag warning ${topic}`, `${foreign} lag warning ${topic}`])
      )
      assert.deepStrictEqual(open.map(({ evidence }) => [evidence["lag"], evidence["partitionsBehind"]]), [
        [1_500, 2],
        [1_500, 2]
      ])
      assert.isTrue(texts.some((text) => text.startsWith("warning: lag: alerting is 1500 records behind")))

      yield* Deferred.succeed(gate, undefined)
      yield* until("all done", Effect.sync(() => done === 3_000))
      yield* until("told that it is over", Effect.sync(() => texts.length >= 3))
      assert.match(texts[2]!, /^closed: lag \(recovered, after 0 min\): alerting is /)
      assert.deepStrictEqual((yield* PostgresAlerts.list()).map(({ service }) => service), [foreign])
      yield* Effect.sleep("2 seconds")
      // Once each, with two that watch.
      assert.lengthOf(texts, 3)
      assert.lengthOf(yield* PostgresAlerts.list({ all: true }), 2)
    }).pipe(
      Effect.scoped,
      Effect.provide(services.pipe(
        Layer.provideMerge(KafkaJs.layer({ brokers: brokers() })),
        Layer.provideMerge(migrated)
      ))
    ))
})
