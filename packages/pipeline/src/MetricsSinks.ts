/**
 * Several sinks at once: measurements in a database, in a log, in a test.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as BufferedSink from "./internal/bufferedSink.ts"
import { MetricsSink } from "./MetricsSink.ts"

/**
 * One sink out of several. Each has a bounded buffer of its own, so that one that is away, or slow, holds up no other; its
 * newest measurements are written when it is back. What still waits when the scope closes is written then, as far as a sink
 * takes it within five seconds.
 *
 * @category combinators
 * @since 0.1.0
 */
export const combine = Effect.fnUntraced(function*(
  sinks: ReadonlyArray<MetricsSink["Service"]>
): Effect.fn.Return<MetricsSink["Service"], never, Scope.Scope> {
  const buffered = yield* Effect.forEach(sinks, (sink) => BufferedSink.make(sink))
  yield* Effect.addFinalizer(() =>
    Effect.forEach(buffered, (sink) => sink.flush, { concurrency: "unbounded", discard: true })
  )
  return MetricsSink.of({
    write: (measurements) =>
      Effect.sync(() => {
        for (const sink of buffered) sink.offer(measurements)
      })
  })
})

/**
 * {@link combine} for Layers: measurements go to all of them.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerAll = <const Layers extends ReadonlyArray<Layer.Layer<MetricsSink, unknown, unknown>>>(
  layers: Layers
): Layer.Layer<MetricsSink, Layer.Error<Layers[number]>, Layer.Services<Layers[number]>> =>
  Layer.effect(
    MetricsSink,
    Effect.flatMap(
      Effect.forEach(
        layers as ReadonlyArray<Layer.Layer<MetricsSink, Layer.Error<Layers[number]>, Layer.Services<Layers[number]>>>,
        (layer) => Effect.map(Layer.build(layer), (context) => Context.get(context, MetricsSink))
      ),
      combine
    )
  )
