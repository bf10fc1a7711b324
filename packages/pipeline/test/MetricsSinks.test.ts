import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Scope from "effect/Scope"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as MetricsSinks from "../src/MetricsSinks.ts"
import { advance } from "./fixtures.ts"

/** A sink that keeps what it is given, and can be away or never answer. */
const collecting = () => {
  const state = { timestamps: [] as Array<number>, mode: "ok" as "ok" | "away" | "silent", attempts: 0 }
  const sink: MetricsSink.MetricsSink["Service"] = {
    write: ({ metrics }) =>
      Effect.suspend(() => {
        state.attempts++
        if (state.mode === "away") return Effect.fail(new MetricsSink.MetricsSinkError({ cause: "away" }))
        if (state.mode === "silent") return Effect.never
        state.timestamps.push(...metrics.map(({ timestamp }) => timestamp))
        return Effect.void
      })
  }
  return { state, sink }
}

const measurements = (...timestamps: ReadonlyArray<number>): MetricsSink.Measurements => ({
  metrics: timestamps.map((timestamp) => ({ timestamp }) as MetricsSink.ProcessingMetrics),
  members: [],
  lag: []
})

describe("MetricsSinks.combine", () => {
  for (const mode of ["away", "silent"] as const) {
    it.effect(`a sink that is ${mode} holds up no other, and gets what it missed, in order`, () =>
      Effect.gen(function*() {
        const well = collecting()
        const ill = collecting()
        ill.state.mode = mode
        const sink = yield* MetricsSinks.combine([ill.sink, well.sink])
        for (let i = 0; i < 3; i++) {
          yield* sink.write(measurements(i))
          yield* advance(1_000)
          assert.lengthOf(well.state.timestamps, i + 1)
        }
        assert.isEmpty(ill.state.timestamps)
        ill.state.mode = "ok"
        // A write that hangs is given up after half a minute.
        yield* advance(30_000, 1_000)
        yield* sink.write(measurements(3))
        yield* advance(100)
        assert.deepStrictEqual(ill.state.timestamps, [0, 1, 2, 3])
        assert.deepStrictEqual(well.state.timestamps, [0, 1, 2, 3])
      }))
  }

  it.effect("each keeps the newest ten thousand; what is dropped is counted", () =>
    Effect.gen(function*() {
      const ill = collecting()
      ill.state.mode = "away"
      const sink = yield* MetricsSinks.combine([ill.sink])
      yield* sink.write(measurements(...Array.from({ length: 10_050 }, (_, i) => i)))
      yield* advance(100)
      ill.state.mode = "ok"
      yield* sink.write(measurements(10_050))
      yield* advance(100)
      assert.lengthOf(ill.state.timestamps, 10_000)
      assert.deepStrictEqual([ill.state.timestamps[0], ill.state.timestamps.at(-1)], [51, 10_050])
      const dropped = (yield* Metric.snapshot).find(({ id }) => id === "weft.pipeline.measurements_dropped")
      assert.deepInclude(dropped?.state, { count: 51 })
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map() as never)))

  it.effect("at the end what waits is written; a sink that never answers holds it up for five seconds", () =>
    Effect.gen(function*() {
      const well = collecting()
      const ill = collecting()
      ill.state.mode = "silent"
      const scope = yield* Scope.make()
      const sink = yield* Scope.provide(MetricsSinks.combine([ill.sink, well.sink]), scope)
      yield* sink.write(measurements(1))
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* advance(100)
      assert.deepStrictEqual(well.state.timestamps, [1])
      assert.isUndefined(closing.pollUnsafe())
      yield* advance(5_100)
      assert.isDefined(closing.pollUnsafe())
    }))

  it.effect("of Layers: what each requires, and how each may fail", () =>
    Effect.gen(function*() {
      class Place extends Context.Service<Place, Array<number>>()("test/Place") {}
      const one = collecting()
      const placed = Layer.effect(
        MetricsSink.MetricsSink,
        Effect.map(Place, (place): MetricsSink.MetricsSink["Service"] => ({
          write: ({ metrics }) => Effect.sync(() => void place.push(...metrics.map(({ timestamp }) => timestamp)))
        }))
      )
      const all: Layer.Layer<MetricsSink.MetricsSink, never, Place> = MetricsSinks.layerAll([
        Layer.succeed(MetricsSink.MetricsSink, one.sink),
        placed
      ])
      const place: Array<number> = []
      yield* Effect.provide(
        Effect.flatMap(MetricsSink.MetricsSink, (sink) => sink.write(measurements(7))),
        Layer.provide(all, Layer.succeed(Place, place))
      )
      assert.deepStrictEqual([one.state.timestamps, place], [[7], [7]])
    }))
})
