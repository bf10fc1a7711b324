import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import type { StoredAlert } from "../src/Alert.ts"
import { AlertSink } from "../src/AlertSink.ts"
import * as AlertStore from "../src/AlertStore.ts"
import * as AlertWatch from "../src/AlertWatch.ts"
import * as AlertWebhook from "../src/AlertWebhook.ts"

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A real server on a free port, which answers as it is told, and what it was sent. */
const server = Effect.fnUntraced(function*(answer: (attempt: number) => Answer) {
  const bodies: Array<Record<string, unknown>> = []
  let attempts = 0
  const http = createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
      bodies.push(JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>)
      answer(++attempts)(request, response)
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
  const { port } = http.address() as AddressInfo
  return { bodies, attempts: () => attempts, url: `http://127.0.0.1:${port}/services/T0/B0/verysecret` }
})

const ok: Answer = (_, response) => void response.writeHead(200).end("ok")
const status = (code: number, headers = {}): Answer => (_, response) => void response.writeHead(code, headers).end()
const never: Answer = () => undefined

const webhook = (url: string, options: Partial<AlertWebhook.Options> = {}) =>
  AlertWebhook.layer({ url: Redacted.make(url), ...options }).pipe(Layer.provide(FetchHttpClient.layer))

const alert = (more: Partial<StoredAlert> = {}): StoredAlert => ({
  id: "1",
  service: "georegion-detector",
  kind: "lag",
  topic: "location.address.geocoded",
  partition: undefined,
  severity: "critical",
  openedAt: 1_700_000_000_000,
  closedAt: undefined,
  closedBecause: undefined,
  acknowledgedAt: undefined,
  acknowledgedBy: undefined,
  message: "georegion-detector is 12000 records behind",
  evidence: { lag: 12_000 },
  ...more
})

const deliver = (alerts: ReadonlyArray<StoredAlert>) => Effect.flatMap(AlertSink, (sink) => sink.deliver(alerts))

describe("AlertWebhook", () => {
  it.live("sends what Slack shows: a text, and an attachment with what to do", () =>
    Effect.gen(function*() {
      const { bodies, url } = yield* server(() => ok)
      yield* Effect.provide(deliver([alert()]), webhook(url))
      const [body] = bodies as unknown as [{
        readonly text: string
        readonly attachments: ReadonlyArray<{
          readonly [key: string]: unknown
          readonly fields: ReadonlyArray<{ readonly title: string; readonly value: string }>
        }>
      }]
      assert.strictEqual(body.text, "[critical] georegion-detector is 12000 records behind")
      assert.lengthOf(body.attachments, 1)
      assert.deepInclude(body.attachments[0], { color: "#c0392b", title: "critical: lag", ts: 1_700_000_000 })
      assert.match(body.attachments[0]!["text"] as string, /12000 records behind\nAdd members/)
      assert.deepStrictEqual(body.attachments[0]!.fields.map(({ title, value }) => [title, value]), [
        ["Service", "georegion-detector"],
        ["Topic", "location.address.geocoded"]
      ])
    }).pipe(Effect.scoped))

  it.live("an end is told as one: why, after how long, and of what", () =>
    Effect.gen(function*() {
      const { bodies, url } = yield* server(() => ok)
      const closedAt = 1_700_000_000_000 + 5 * 60_000
      yield* Effect.provide(deliver([alert({ closedAt, closedBecause: "not measured" })]), webhook(url))
      assert.strictEqual(
        bodies[0]!["text"],
        "[closed] not measured, after 5 min; it was: georegion-detector is 12000 records behind"
      )
    }).pipe(Effect.scoped))

  it.live("many partitions in the same trouble are one attachment, and more than twenty things several messages", () =>
    Effect.gen(function*() {
      const { bodies, url } = yield* server(() => ok)
      const stuck = Array.from({ length: 30 }, (_, i) => alert({ id: `p${i}`, kind: "stuck", partition: 29 - i }))
      const services = Array.from(
        { length: 25 },
        (_, i) => alert({ id: `s${i}`, service: `s${i}`, severity: "warning" })
      )
      const closed = alert({
        id: "c",
        closedAt: 1_700_000_600_000,
        closedBecause: "recovered",
        message: "<!channel> & <https://x|y>"
      })
      yield* Effect.provide(deliver([closed, ...services, ...stuck]), webhook(url))
      const attachments = (bodies as unknown as ReadonlyArray<
        { readonly attachments: ReadonlyArray<Readonly<Record<string, unknown>>> }
      >).map(({ attachments }) => attachments)
      assert.deepStrictEqual(attachments.map(({ length }) => length), [20, 7])
      assert.deepInclude(attachments[0]![0], { title: "critical: stuck" })
      assert.deepStrictEqual((attachments[0]![0]!["fields"] as ReadonlyArray<unknown>).at(-1), {
        title: "Partitions",
        value: "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 10 more",
        short: true
      })
      assert.deepInclude(attachments[1]!.at(-1), {
        title: "closed: lag (recovered, after 10 min)",
        text: "&lt;!channel&gt; &amp; &lt;https://x|y&gt;",
        color: "#2e8b57"
      })
      assert.match(bodies[0]!["text"] as string, /^Alerts: 1 critical, 19 warning \(georegion-detector, s0, /)
    }).pipe(Effect.scoped))

  it.live("tells why it was not taken, and how long to wait, without the address", () =>
    Effect.gen(function*() {
      const of = (url: string, options: Partial<AlertWebhook.Options> = {}) =>
        Effect.flip(Effect.provide(deliver([alert()]), webhook(url, options)))
      const limited = yield* server(() => status(429, { "retry-after": "7" }))
      assert.deepInclude(yield* of(limited.url), { message: "answered 429", retryAfterMs: 7_000 })
      const broken = yield* server(() => status(500))
      assert.deepInclude(yield* of(broken.url), { message: "answered 500", retryAfterMs: undefined })
      const silent = yield* server(() => never)
      assert.deepInclude(yield* of(silent.url, { timeout: "200 millis" }), { message: "no answer within 200 ms" })
      const gone = yield* of("http://127.0.0.1:1/verysecret")
      assert.match("message" in gone ? gone.message : "", /^no connection \(.*\)$/)
    }).pipe(Effect.scoped))

  it.live(
    "an alert arrives though the webhook fails at first, and its address is in no log and no span",
    () =>
      Effect.gen(function*() {
        const answers: ReadonlyArray<Answer> = [status(500), never, status(404)]
        const { attempts, bodies, url } = yield* server((attempt) => answers[attempt - 1] ?? ok)
        const lines: Array<string> = []
        const spans: Array<string> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span.name)
            return span
          }
        })
        yield* Effect.gen(function*() {
          const store = yield* AlertStore.AlertStore
          yield* store.record({ transitions: [{ _tag: "Opened", alert: alert() }], refreshed: [] })
          while ((yield* store.untold("webhook", 10)).length > 0) yield* Effect.sleep("20 millis")
          // More where the machine was too busy for an answer in time; none once it is told.
          const told = attempts()
          assert.isAtLeast(told, 4)
          yield* Effect.sleep("200 millis")
          assert.strictEqual(attempts(), told)
        }).pipe(
          Effect.provide(
            AlertWatch.layerDelivery({ backOffMax: "50 millis", interval: "50 millis" }).pipe(
              Layer.provide(webhook(url, { timeout: "200 millis" })),
              Layer.provideMerge(AlertStore.layerMemory),
              Layer.provideMerge(Logger.layer([Logger.map(Logger.formatLogFmt, (line) => void lines.push(line))]))
            )
          ),
          Effect.provideService(References.MinimumLogLevel, "All"),
          Effect.withTracer(tracer)
        )
        assert.strictEqual(new Set(bodies.map((body) => body["text"])).size, 1)
        assert.isTrue(lines.some((line) => line.includes("webhook cannot be told of alerts")), lines.join("\n"))
        assert.isFalse(lines.some((line) => line.includes("verysecret")))
        assert.deepStrictEqual(spans, [])
      }).pipe(Effect.scoped)
  )

  it.effect("an address that cannot be used is told by its variable, and not shown", () =>
    Effect.gen(function*() {
      const from = (env: Readonly<Record<string, string>>) =>
        Effect.scoped(Effect.flip(Layer.build(Layer.provide(AlertWebhook.layerConfig(), FetchHttpClient.layer)))).pipe(
          Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
        )
      for (const bad of ["verysecret", "ftp://verysecret", "https://"]) {
        const error = yield* from({ WEFT_ALERT_WEBHOOK_URL: bad })
        assert.deepInclude(error, { _tag: "AlertWebhookConfigError", variable: "WEFT_ALERT_WEBHOOK_URL" })
        assert.strictEqual(
          error.message,
          "WEFT_ALERT_WEBHOOK_URL is not a web address: it accepts an https:// or http:// URL"
        )
      }
      for (const unset of [{}, { WEFT_ALERT_WEBHOOK_URL: " " }]) {
        assert.match((yield* from(unset as Record<string, string>)).message, /WEFT_ALERT_WEBHOOK_URL is not set/)
      }
    }))
})
