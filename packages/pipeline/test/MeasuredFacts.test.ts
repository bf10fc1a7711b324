import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as AlertFacts from "../src/AlertFacts.ts"
import * as AlertStore from "../src/AlertStore.ts"
import * as AlertWatch from "../src/AlertWatch.ts"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as MeasuredFacts from "../src/MeasuredFacts.ts"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as Pipeline from "../src/Pipeline.ts"
import { advance, common, start, withCluster } from "./fixtures.ts"

const alerting = (options?: MeasuredFacts.Options) =>
  AlertWatch.layer({ interval: "5 seconds" }).pipe(
    Layer.provideMerge(MeasuredFacts.layer(options)),
    Layer.provideMerge(Layer.merge(MetricsSink.layerNone, AlertStore.layerMemory))
  )

const open = Effect.flatMap(AlertStore.AlertStore, (store) => store.open)

describe("MeasuredFacts", () => {
  it.effect("a pipeline whose handler does not return is told of as stuck, with the offset, and as over when it is", () =>
    withCluster({ records: 5 }, () =>
      Effect.gen(function*() {
        const gate = yield* Deferred.make<void>()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          metricsInterval: "5 seconds",
          process: (record) => record.offset === 2n ? Deferred.await(gate) : Effect.void
        }))
        yield* advance(40_000, 100)
        assert.deepStrictEqual(yield* open, [])
        yield* advance(90_000, 100)
        const [alert, ...others] = yield* open
        assert.deepStrictEqual(others, [])
        assert.deepInclude(alert, { service: "s", kind: "stuck", topic: "in", partition: 0, severity: "critical" })
        assert.deepInclude(alert!.evidence, { offset: "2", end: "5", lag: 3 })
        yield* Deferred.succeed(gate, undefined)
        yield* advance(30_000, 100)
        assert.deepStrictEqual(yield* open, [])
        yield* stop
      }).pipe(Effect.provide(alerting({ maxPollIntervalMs: 60_000 })))))

  it.effect("a handler that fails, and a lag above the thresholds given", () =>
    withCluster({ records: 200 }, () =>
      Effect.gen(function*() {
        let isMended = false
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          drainTimeout: "1 second",
          metricsInterval: "5 seconds",
          order: "none",
          process: () => isMended ? Effect.void : Effect.sleep("100 millis").pipe(Effect.andThen(Effect.fail("no"))),
          onFailure: { otherwise: FailurePolicy.retry({ attempts: Number.POSITIVE_INFINITY }) }
        }))
        yield* advance(60_000, 100)
        const kinds = (yield* open).map(({ kind, severity }) => `${kind} ${severity}`).sort()
        assert.deepStrictEqual(kinds, ["failing critical", "lag critical"])
        isMended = true
        yield* advance(420_000, 500)
        assert.deepInclude(yield* running.totals, { inFlight: 0 })
        assert.deepStrictEqual((yield* open).map(({ kind }) => kind), [])
        yield* stop
      }).pipe(Effect.provide(alerting({ thresholds: { s: { warningLag: 10, criticalLag: 100 } } })))))

  it.effect("passes measurements on, and sums what members did in the last minutes", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("1 hour")
      const now = 3_600_000
      const written: Array<MetricsSink.Measurements> = []
      const below = Layer.succeed(MetricsSink.MetricsSink, {
        write: (measurements) => Effect.sync(() => void written.push(measurements))
      })
      const member = (name: string, agoMs: number, more: Partial<MetricsSink.MemberMetrics>) => {
        const zero = { crashes: 0, rebalances: 0, commitFailures: 0, oldestInFlightMs: 0 }
        return {
          ...zero,
          ...more,
          service: "s",
          group: "g",
          member: name,
          timestamp: now - agoMs
        } as MetricsSink.MemberMetrics
      }
      yield* Effect.gen(function*() {
        const sink = yield* MetricsSink.MetricsSink
        yield* sink.write({
          lag: [],
          metrics: [],
          members: [
            member("a", 899_000, { crashes: 1, rebalances: 3 }),
            member("a", 10_000, { crashes: 1, rebalances: 1, commitFailures: 4 }),
            member("b", 10_000, { rebalances: 2 }),
            member("gone", 901_000, { crashes: 50 })
          ]
        })
        assert.lengthOf(written, 1)
        const { services } = yield* Effect.flatMap(AlertFacts.AlertFacts, ({ look }) => look)
        assert.lengthOf(services, 1)
        assert.deepInclude(services[0], {
          service: "s",
          crashes: 2,
          rebalances: 4,
          commitFailures: 4,
          members: 2,
          memberSeenAt: now - 10_000
        })
      }).pipe(Effect.provide(Layer.provide(MeasuredFacts.layer(), below)))
    }))
})
