/**
 * A pipeline: decode, process, settle, with retries, dead letters, metrics, traces and a graceful end. It is a value;
 * {@link layer} and {@link run} run it.
 *
 * ```ts
 * const georegions = Pipeline.make({
 *   service: "georegion-detector",
 *   topics: ["location.address.geocoded"],
 *   value: Codec.json(GeocodedLocation),
 *   process: Effect.fnUntraced(function*(record) {
 *     const detector = yield* GeoregionDetector
 *     yield* detector.detect(record.value)
 *   })
 * })
 * ```
 *
 * @since 0.1.0
 */
import type * as ConfigStore from "@weft/config/ConfigStore"
import type * as Codec from "@weft/kafka/Codec"
import * as Signals from "@weft/kafka/Signals"
import * as Subscription from "@weft/kafka/Subscription"
import type { Transport } from "@weft/kafka/Transport"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { codeSettings } from "./internal/codeSettings.ts"
import * as Health from "./Health.ts"
import { HealthRegistry } from "./HealthRegistry.ts"
import { start } from "./internal/start.ts"
import type { MetricsSink } from "./MetricsSink.ts"
import type { PipelineError } from "./PipelineError.ts"
import type { Definition, OneHandler, Options, TombstonesProcessed, TombstonesTakenOut } from "./PipelineOptions.ts"
import { RunningPipeline } from "./RunningPipeline.ts"

/**
 * A pipeline as a value. `R` is what its handler requires.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pipeline<out R = never> {
  readonly service: string
  readonly subscription: Subscription.Subscription
  /** @internal */
  readonly definition: Definition<R>
}

/**
 * The forms of {@link make}: with or without a key's codec, with tombstones processed or taken out. (Type parameters with
 * a default would not reach a handler that is itself inferred, as by `Effect.fnUntraced`.)
 *
 * @category models
 * @since 0.1.0
 */
export interface Make {
  <V, E, R>(
    options: Options<Uint8Array, V, V | null, E, R> & BytesKey & TombstonesProcessed & OneHandler
  ): Pipeline<R>
  <V, E, R>(options: Options<Uint8Array, V, V, E, R> & BytesKey & TombstonesTakenOut & OneHandler): Pipeline<R>
  <K, V, E, R>(
    options: Options<K, V, V | null, E, R> & { readonly key: Codec.Codec<K> } & TombstonesProcessed & OneHandler
  ): Pipeline<R>
  <K, V, E, R>(
    options: Options<K, V, V, E, R> & { readonly key: Codec.Codec<K> } & TombstonesTakenOut & OneHandler
  ): Pipeline<R>
}

interface BytesKey {
  readonly key?: undefined
}

/**
 * A pipeline as a value; nothing runs. Types are inferred: the handler's record from the codecs, the tags of `onFailure`
 * from the handler's errors.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Make = <R>(options: unknown): Pipeline<R> => {
  const definition = options as Definition<R>
  return {
    service: definition.service,
    subscription: definition.subscription ?? Subscription.topics(...definition.topics ?? []),
    definition
  }
}

/**
 * With what a pipeline asks the store for its configuration: its profile, and what its definition says of settings. The
 * limits of its brokers come to that when it runs.
 *
 * @category combinators
 * @since 0.1.0
 */
export const configOptions = <R>({ definition }: Pipeline<R>): ConfigStore.Options => ({
  profile: definition.profile,
  fixed: definition.settings,
  defaults: codeSettings(definition as Definition<unknown>)
})

/**
 * What a pipeline needs to run, beside its handler's own requirements.
 *
 * @category models
 * @since 0.1.0
 */
export type Requirements = Transport | ConfigStore.ConfigStore | MetricsSink

/**
 * Runs a pipeline until it is interrupted or fails for good.
 *
 * **Details**
 *
 * It loads its configuration and follows its changes; joins its group; processes. However it ends (SIGTERM by way of
 * `NodeRuntime.runMain`, interruption, a failure), it stops fetching, lets in-flight work finish up to the drain
 * deadline, commits and leaves the group, in that order, before anything that it was given is torn down. A second signal
 * ends the process at once: see `Signals.endAtSecond`.
 *
 * Fails with a `HaltedError` where a policy says so, and with the consumer's error where its restart schedule gives up or
 * a person must mend something.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <R>(pipeline: Pipeline<R>): Effect.Effect<never, PipelineError, Requirements | R> =>
  Effect.andThen(Signals.endAtSecond, Effect.flatMap(startWithin(pipeline), ({ failure }) => failure)).pipe(
    Effect.scoped
  ) as Effect.Effect<
    never,
    PipelineError,
    Requirements | R
  >

/**
 * Starts a pipeline in the current scope, which stops it in the way that {@link run} describes.
 *
 * @category running
 * @since 0.1.0
 */
export const startWithin = <R>(
  pipeline: Pipeline<R>
): Effect.Effect<RunningPipeline["Service"], never, Requirements | Scope.Scope | R> =>
  Effect.gen(function*() {
    // From here on, and not once it has its configuration: a process is not started while one of its pipelines is not.
    let health = Effect.succeed(Health.initial)
    const registry = yield* HealthRegistry
    yield* registry.register(pipeline.service, Effect.suspend(() => health))
    const running = yield* start(pipeline.subscription, pipeline.definition, configOptions(pipeline))
    health = running.health
    return running
  })

/** Who hears of a pipeline in a layer that has failed for good. */
const OnFailure = Context.Reference<(cause: Cause.Cause<PipelineError>) => Effect.Effect<void>>(
  "@weft/pipeline/OnFailure",
  { defaultValue: () => () => Effect.void }
)

/**
 * Runs a pipeline as long as the layer lives, in the background; stopped as {@link run} describes, before the layers
 * that it is built on. A second signal ends the process at once: see `Signals.endAtSecond`.
 *
 * **Gotchas**
 *
 * A layer that is built cannot fail any more. A pipeline that fails for good logs it, its health is no longer `live`, and
 * {@link launch} ends; `Layer.launch` would go on without it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <R>(
  pipeline: Pipeline<R>
): Layer.Layer<RunningPipeline, never, Requirements | Exclude<R, Scope.Scope>> =>
  Layer.effect(
    RunningPipeline,
    Effect.gen(function*() {
      yield* Signals.endAtSecond
      const running = yield* startWithin(pipeline)
      const onFailure = yield* OnFailure
      yield* Effect.forkScoped(Effect.catchCause(running.failure, (cause) =>
        Effect.andThen(
          Effect.logError("the pipeline has failed", cause).pipe(Effect.annotateLogs({ service: pipeline.service })),
          onFailure(cause)
        )))
      return running
    })
  )

/**
 * Builds a layer with pipelines and keeps it until it is interrupted, as `Layer.launch` does, or until one of its
 * pipelines fails for good: then everything is stopped in order, and it fails with that error. A second signal ends the
 * process at once: see `Signals.endAtSecond`.
 *
 * @category running
 * @since 0.1.0
 */
export const launch = <A, E, R>(self: Layer.Layer<A, E, R>): Effect.Effect<never, E | PipelineError, R> =>
  Effect.scoped(Effect.gen(function*() {
    const failed = yield* Deferred.make<never, PipelineError>()
    yield* Signals.endAtSecond
    yield* Effect.provideService(
      Layer.build(self),
      OnFailure,
      (cause) => Effect.asVoid(Deferred.failCause(failed, cause))
    )
    return yield* Deferred.await(failed)
  }))

/**
 * How the process of a pipeline ends, for `NodeRuntime.runMain(main, { teardown: Pipeline.teardown })`: with 0 where it
 * was asked to end (SIGTERM, Ctrl-C) and did so in order. `runMain` by itself answers an interruption with 130, which a
 * supervisor takes for a failure. A failure stays one.
 *
 * @category running
 * @since 0.1.0
 */
export const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? onExit(0) : Runtime.defaultTeardown(exit, onExit)
