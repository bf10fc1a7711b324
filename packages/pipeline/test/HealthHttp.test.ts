import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { HttpServer } from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { createServer } from "node:http"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as Health from "../src/Health.ts"
import * as HealthHttp from "../src/HealthHttp.ts"
import * as HealthRegistry from "../src/HealthRegistry.ts"
import * as Pipeline from "../src/Pipeline.ts"
import { advance, common, start, until, withCluster } from "./fixtures.ts"

interface Said {
  readonly status: number
  readonly type: string | null
  readonly body: string
}

/** A real server on a free port, with a registry of its own; what is run in it starts pipelines and asks over TCP. */
const withServer = <A, E, R>(
  test: (ask: (path: string, method?: string) => Effect.Effect<Said>) => Effect.Effect<A, E, R>,
  registry = HealthRegistry.make()
) => {
  const server = NodeHttpServer.layerServer(createServer, {
    port: 0,
    host: "127.0.0.1",
    gracefulShutdownTimeout: "10 millis"
  })
  return Effect.gen(function*() {
    const { address } = yield* HttpServer
    const { port } = address as unknown as { readonly port: number }
    return yield* test((path, method = "GET") =>
      Effect.promise(async () => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { connection: "close" } })
        return { status: response.status, type: response.headers.get("content-type"), body: await response.text() }
      })
    )
  }).pipe(
    Effect.provide(Layer.provideMerge(HealthHttp.layer, server)),
    Effect.provideService(HealthRegistry.HealthRegistry, registry)
  )
}

const statuses = (ask: (path: string) => Effect.Effect<Said>) =>
  Effect.map(
    Effect.forEach(["started", "ready", "live"], (probe) => ask(`/health/${probe}`)),
    (all) => all.map(({ status }) => status)
  )

const reasons = (said: Said) => (JSON.parse(said.body) as { readonly reasons: ReadonlyArray<string> }).reasons

const healthy: Health.Health = { ...Health.initial, started: true, ready: true, reason: undefined }

describe("HealthHttp", () => {
  it.effect("a process without pipelines lives, and no more", () =>
    withServer((ask) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* statuses(ask), [503, 503, 200])
        assert.deepStrictEqual(reasons(yield* ask("/health/ready")), ["no pipeline runs"])
      })
    ))

  it.effect("answers GET and HEAD, JSON that nobody keeps, and nothing else", () => {
    const registry = HealthRegistry.make()
    return withServer((ask) =>
      Effect.gen(function*() {
        yield* registry.register("orders", Effect.succeed(healthy))
        const said = yield* ask("/health/ready")
        assert.deepStrictEqual([said.status, said.type], [200, "application/json"])
        assert.deepStrictEqual(JSON.parse(said.body), {
          status: "ok",
          probe: "ready",
          ok: true,
          reasons: [],
          pipelines: [{ service: "orders", started: true, ready: true, live: true, stalled: [] }]
        })
        assert.deepInclude(yield* ask("/health/ready", "HEAD"), { status: 200, body: "" })
        assert.deepInclude(yield* ask("/health/ready?verbose=1"), { status: 200 })
        for (
          const [path, method] of [["/", "GET"], ["/health", "GET"], ["/health/dead", "GET"], ["/health/ready", "POST"]]
        ) {
          assert.strictEqual((yield* ask(path!, method)).status, 404, `${method} ${path}`)
        }
      }), registry)
  })

  it.effect("several pipelines: all have to be well, and each that is not is named", () => {
    const registry = HealthRegistry.make()
    return withServer((ask) =>
      Effect.gen(function*() {
        yield* registry.register("orders", Effect.succeed(healthy))
        yield* registry.register("invoices", Effect.succeed({ ...healthy, ready: false, reason: "no broker" }))
        yield* registry.register("mails", Effect.succeed({ ...healthy, stalled: ["m-3"] }))
        assert.deepStrictEqual(yield* statuses(ask), [200, 503, 200])
        assert.deepStrictEqual(reasons(yield* ask("/health/ready")), [
          "invoices: no broker",
          "mails: no progress on m-3"
        ])
        yield* Effect.scoped(Effect.gen(function*() {
          yield* registry.register(
            "bad",
            Effect.succeed({ ...healthy, ready: false, live: false, reason: "it halted" })
          )
          assert.deepStrictEqual(yield* statuses(ask), [200, 503, 503])
        }))
        assert.deepStrictEqual(yield* statuses(ask), [200, 503, 200])
      }), registry)
  })

  it.effect("follows a pipeline: joining, ready, crashed and coming back, stopped", () =>
    withServer((ask) =>
      withCluster({ records: 10 }, (cluster) =>
        Effect.gen(function*() {
          // Nobody joins while the brokers are away.
          yield* cluster.brokerAway(0, "5 seconds")
          const starting = yield* Effect.forkChild(start(Pipeline.make({ ...common, process: () => Effect.void })))
          yield* advance(1_000)
          assert.deepStrictEqual(yield* statuses(ask), [503, 503, 200])
          assert.deepStrictEqual(reasons(yield* ask("/health/started")), ["s: it has not joined its group yet"])
          yield* until(() => starting.pollUnsafe() !== undefined, "it has started")
          const { running, stop } = yield* Fiber.join(starting)
          let isReady = false
          yield* Effect.forkScoped(Effect.gen(function*() {
            while (!isReady) {
              isReady = (yield* running.health).ready
              yield* Effect.sleep(10)
            }
          }))
          yield* until(() => isReady, "it has joined")
          assert.deepStrictEqual(yield* statuses(ask), [200, 200, 200])
          yield* cluster.crash({ groupId: "group" })
          yield* advance(10)
          assert.deepStrictEqual(yield* statuses(ask), [200, 503, 200])
          assert.match(reasons(yield* ask("/health/ready"))[0]!, /^s: /)
          // Its place in the group is free once its session has ended.
          yield* advance(90_000, 100)
          assert.deepStrictEqual(yield* statuses(ask), [200, 200, 200])
          yield* Effect.forkScoped(running.shutdown)
          yield* advance(10_000, 100)
          assert.deepStrictEqual(yield* statuses(ask), [200, 503, 200])
          assert.deepStrictEqual(reasons(yield* ask("/health/ready")), ["s: it was stopped"])
          yield* stop
          assert.deepStrictEqual(reasons(yield* ask("/health/ready")), ["no pipeline runs"])
        }))
    ))

  it.effect("a stalled partition is told, and costs neither readiness nor liveness", () =>
    withServer((ask) =>
      withCluster({ records: 3 }, () =>
        Effect.gen(function*() {
          const { stop } = yield* start(Pipeline.make({
            ...common,
            drainTimeout: "1 second",
            overrides: { ...common.overrides, maxPollIntervalMs: 30_000, sessionTimeoutMs: 10_000 },
            process: () => Effect.never
          }))
          yield* advance(40_000, 100)
          assert.deepStrictEqual(yield* statuses(ask), [200, 200, 200])
          assert.deepStrictEqual(reasons(yield* ask("/health/live")), ["s: no progress on in-0"])
          yield* stop
        }))
    ))

  it.effect("a pipeline that has failed for good fails liveness: nothing else will start it again", () =>
    withServer((ask) =>
      withCluster({ records: 3 }, () =>
        Effect.gen(function*() {
          const { stop } = yield* start(Pipeline.make({
            ...common,
            process: () => Effect.fail("no"),
            onFailure: { otherwise: FailurePolicy.halt }
          }))
          yield* advance(5_000)
          assert.deepStrictEqual(yield* statuses(ask), [200, 503, 503])
          assert.match(reasons(yield* ask("/health/live"))[0]!, /^s: s halted at in-0@0 after 1 attempts/)
          yield* stop
        }))
    ))

  it.effect("/metrics is what Prometheus scrapes, with the lag of the pipeline", () =>
    withServer((ask) =>
      withCluster({ records: 10 }, () =>
        Effect.gen(function*() {
          const { stop } = yield* start(
            Pipeline.make({ ...common, metricsInterval: "1 second", process: () => Effect.void })
          )
          yield* advance(3_000)
          const said = yield* ask("/metrics")
          assert.deepStrictEqual([said.status, said.type], [200, "text/plain; version=0.0.4; charset=utf-8"])
          assert.match(said.body, /^# TYPE kafka_consumer_group_topic_partition_lag gauge$/m)
          assert.match(said.body, /^kafka_consumer_group_topic_partition_lag\{[^}]*topic_name="in"[^}]*\} 0$/m)
          assert.deepInclude(yield* ask("/metrics", "HEAD"), { status: 200, body: "" })
          yield* stop
        }))
    ))

  it.effect("probes leave no line in the log and no span", () => {
    const lines: Array<unknown> = []
    const spans: Array<string> = []
    const tracer = Tracer.make({
      span: (options) => {
        spans.push(options.name)
        return new Tracer.NativeSpan(options)
      }
    })
    return withServer((ask) => Effect.andThen(statuses(ask), ask("/nothing"))).pipe(
      Effect.provide(Logger.layer([Logger.make(({ message }) => void lines.push(message))])),
      Effect.withTracer(tracer),
      Effect.tap(() => Effect.sync(() => assert.deepStrictEqual([lines, spans], [[], []])))
    )
  })

  it.effect("a port that is taken fails with the reason", () =>
    Effect.scoped(Effect.gen(function*() {
      const server = (port: number) => NodeHttpServer.layerServer(createServer, { port, host: "127.0.0.1" })
      const { address } = yield* Effect.provide(HttpServer, yield* Layer.build(server(0)))
      const { port } = address as unknown as { readonly port: number }
      const error = yield* Effect.flip(Layer.build(Layer.provide(HealthHttp.layer, Layer.fresh(server(port)))))
      assert.strictEqual(error._tag, "ServeError")
      assert.match(String(error.cause), /EADDRINUSE/)
    })))

  it.effect("the environment says where to listen, or what is wrong with that", () =>
    Effect.gen(function*() {
      const from = (env: Readonly<Record<string, string>>) =>
        Effect.provideService(HealthHttp.configured, ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
      assert.deepStrictEqual(yield* from({}), Option.none())
      assert.deepStrictEqual(yield* from({ WEFT_HEALTH_PORT: " " }), Option.none())
      assert.deepStrictEqual(yield* from({ WEFT_HEALTH_PORT: " 8080 " }), Option.some({ port: 8080, host: "0.0.0.0" }))
      assert.deepStrictEqual(
        yield* from({ WEFT_HEALTH_PORT: "0", WEFT_HEALTH_HOST: "::1" }),
        Option.some({ port: 0, host: "::1" })
      )
      for (const bad of ["http", "-1", "65536", "80.5", "999999"]) {
        const error = yield* Effect.flip(from({ WEFT_HEALTH_PORT: bad }))
        assert.deepInclude(error, {
          _tag: "HealthConfigError",
          variable: "WEFT_HEALTH_PORT",
          message: "WEFT_HEALTH_PORT cannot be used: it accepts a port, from 0 to 65535"
        })
      }
    }))

  it("knows of a member that has left its group that it is not ready, unless it has failed already", () => {
    const left = { _tag: "Left", memberId: "m", reason: "rejoin" } as const
    assert.deepInclude(Health.observe(healthy, left), {
      ready: false,
      live: true,
      reason: "it is joining its group again"
    })
    const failed = { ...healthy, ready: false, live: false, reason: "no" }
    assert.deepStrictEqual(Health.observe(failed, { ...left, reason: "failure" }), failed)
  })
})
