/** A consumer's life: made, running in one way, closed. The only place where promises and Effect meet. */
import { ConfigStore } from "@weft/config/ConfigStore"
import * as Setting from "@weft/config/Setting"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import type { InvalidSettingError } from "@weft/kafka/KafkaError"
import * as Subscription from "@weft/kafka/Subscription"
import type { Transport } from "@weft/kafka/Transport"
import type { MetricsSink } from "@weft/pipeline/MetricsSink"
import * as PipelineHealth from "@weft/pipeline/Health"
import * as Pipeline from "@weft/pipeline/Pipeline"
import type { PipelineError } from "@weft/pipeline/PipelineError"
import type { RunningPipeline } from "@weft/pipeline/RunningPipeline"
import type { DatabaseConfigError } from "@weft/postgres/Postgres"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ConsumerConfig, ConsumerSettings as Settings } from "../ConsumerConfig.ts"
import type { ConsumerEvent, PartitionOffset } from "../ConsumerEvent.ts"
import type { ConsumerOptions } from "../ConsumerOptions.ts"
import type { Health, Lag, Totals } from "../ConsumerState.ts"
import * as Decoder from "../Decoder.ts"
import type { Handlers } from "../Handlers.ts"
import type { SendOptions, SendValue } from "../Sending.ts"
import { ConsumerStateError, type InvalidOptionError, KafkaFailedError, type WeftError } from "../WeftError.ts"
import { HeldRecord } from "../WeftRecord.ts"
import { codec } from "./codecs.ts"
import { optionFault } from "./configReader.ts"
import { databaseOf } from "./databases.ts"
import { rejection } from "./errors.ts"
import { eventOf } from "./events.ts"
import { isCalledBy, processing } from "./handlerCalls.ts"
import { Handoff, type Offer } from "./handoff.ts"
import { healthServer } from "./healthServer.ts"
import { loggingTo } from "./logging.ts"
import { policies } from "./policies.ts"
import { configOf, fixedOf, profileOf } from "./resolved.ts"
import * as Sends from "./sends.ts"
import { defaultSignals, onStop } from "./signals.ts"
import { transportOf } from "./transports.ts"
import { validate } from "./validate.ts"

type Services = Transport | ConfigStore | MetricsSink

type Runtime = ManagedRuntime.ManagedRuntime<Services, InvalidSettingError | DatabaseConfigError>

/** What a run does with its records, and what it does when it is told to stop, before it drains. */
interface Way {
  readonly handlers: object
  /** What must hold for it, whatever else is said. */
  readonly settings?: Partial<Settings>
  readonly beforeShutdown: (running: RunningPipeline["Service"]) => Effect.Effect<void>
}

const defaultHeld = 256
const mostHeld = Setting.settings.concurrency.max.value

const nothing: Totals = { processed: 0, bytes: 0, retries: 0, failures: 0, skipped: 0, deadLetters: 0, inFlight: 0 }

/** Whatever an effect fails with, as this package's errors. */
const settled = <A>(exit: Exit.Exit<A, PipelineError | WeftError | DatabaseConfigError>): A => {
  if (Exit.isSuccess(exit)) return exit.value
  throw rejection(exit.cause as Parameters<typeof rejection>[0])
}

const pipelineOf = <V, K>(
  options: ConsumerOptions<V, K>,
  way: Pick<Way, "handlers" | "settings"> = { handlers: {} }
): Pipeline.Pipeline => {
  const { clientId, topics } = options
  const definition = {
    service: options.service,
    subscription: topics instanceof RegExp ? Subscription.pattern(topics) : Subscription.topics(...topics),
    value: codec(options.value ?? Decoder.json<V>()),
    key: codec(options.key ?? Decoder.text as unknown as Decoder.Decoder<K>),
    tombstones: options.tombstones ?? "dead-letter",
    order: options.order,
    concurrency: options.concurrency,
    maxInFlight: options.maxInFlight,
    batch: { size: options.batch?.size, window: options.batch?.windowMs },
    profile: profileOf(options.profile),
    onFailure: policies(options.onFailure),
    deadLetter: options.deadLetter,
    drainTimeout: options.drainTimeoutMs,
    metricsInterval: options.metricsIntervalMs,
    settings: { ...fixedOf(options.settings, options), ...way.settings },
    overrides: clientId === undefined ? {} : { clientId },
    ...way.handlers
  }
  // The types of this package's options have been checked; those of the pipeline's infer what is known here already.
  return Pipeline.make(definition as never) as unknown as Pipeline.Pipeline
}

export class Engine<V, K> {
  readonly #options: ConsumerOptions<V, K>
  readonly #runtime: Runtime
  readonly #scope: Scope.Closeable
  readonly #send: Sends.Send
  readonly #stop = Latch.makeUnsafe(false)
  readonly #listeners = new Set<(event: ConsumerEvent) => void>()
  readonly #first: ConsumerConfig
  #running: RunningPipeline["Service"] | undefined = undefined
  #finished: Promise<Exit.Exit<void, PipelineError | InvalidSettingError | DatabaseConfigError>> | undefined = undefined
  #closed: Promise<void> | undefined = undefined
  /** Nothing but the end of the program is left to wait for. */
  #isAbandoned = false

  private constructor(options: ConsumerOptions<V, K>, runtime: Runtime, first: ConsumerConfig) {
    this.#options = options
    this.#runtime = runtime
    this.#first = first
    this.#scope = Scope.makeUnsafe()
    this.#send = Sends.make(options.clientId ?? options.service, this.#scope)
  }

  static make<V, K>(options: ConsumerOptions<V, K>): Promise<Engine<V, K>> {
    return Effect.gen(function*() {
      const { layer, pipeline } = yield* Effect.try({
        try: () => {
          validate(options)
          const layer = Layer.mergeAll(
            transportOf(options),
            databaseOf(options.database)
          )
          return { layer: Layer.provideMerge(layer, loggingTo(options.logger)), pipeline: pipelineOf(options) }
        },
        catch: (error) => error as InvalidOptionError
      })
      const runtime: Runtime = ManagedRuntime.make(layer)
      const loaded = yield* Effect.promise(() =>
        runtime.runPromiseExit(
          Effect.flatMap(ConfigStore, ({ load }) => load(options.service, Pipeline.configOptions(pipeline)))
        )
      )
      const made = yield* Effect.flatMap(loaded, (resolved) => {
        const engine = new Engine<V, K>(options, runtime, configOf(resolved))
        const { health } = options
        return health === undefined
          ? Effect.succeed(engine)
          : Effect.as(Scope.provide(healthServer(health), engine.#scope), engine)
      }).pipe(Effect.exit)
      if (Exit.isSuccess(made)) return made.value
      yield* runtime.disposeEffect
      return yield* Effect.failCause(made.cause)
    }).pipe(
      Effect.catchTags({
        InvalidSettingError: ({ reason, setting, value }) =>
          Effect.fail(optionFault(setting, `${String(value)} ${reason}`.trim())),
        DatabaseConfigError: ({ message }) => Effect.fail(optionFault("database", message))
      }),
      Effect.runPromiseExit
    ).then(settled)
  }

  get config(): ConsumerConfig {
    return this.#running === undefined ? this.#first : configOf(Effect.runSync(this.#running.configuration))
  }

  get health(): Health {
    return this.#running === undefined ? PipelineHealth.initial : Effect.runSync(this.#running.health)
  }

  get totals(): Totals {
    return this.#running === undefined ? nothing : Effect.runSync(this.#running.totals)
  }

  get lag(): ReadonlyArray<Lag> {
    return this.#running === undefined ? [] : Effect.runSync(this.#running.lag).map(({ sample }) => ({
      topic: sample.topic,
      partition: sample.partition,
      lag: sample.lag,
      lagSeconds: sample.lagSeconds
    }))
  }

  listen(listener: (event: ConsumerEvent) => void): () => void {
    // One of its own for each call, though the function be the same.
    const own = (event: ConsumerEvent) => listener(event)
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  run(handlers: Handlers<V, K>, signal: AbortSignal | undefined): Promise<void> {
    return this.#begin({ handlers: processing(this, handlers), beforeShutdown: () => Effect.void }, signal)
  }

  iterate(commit: "automatic" | "manual"): AsyncIterator<HeldRecord<V, K>, void, undefined> {
    const handoff = new Handoff<V, K>()
    const held = Math.min(this.#options.maxInFlight ?? defaultHeld, mostHeld)
    const way: Way = {
      handlers: { process: handoff.offer },
      settings: commit === "automatic"
        ? { processingOrder: "partition", concurrency: 1, maxInFlight: 0 }
        : { processingOrder: "none", concurrency: held, maxInFlight: held },
      beforeShutdown: (running) => this.#untilIdle(running, handoff)
    }
    let ended: Promise<void> | undefined
    let last: Offer<V, K> | undefined
    const next = (): Promise<IteratorResult<HeldRecord<V, K>, void>> => {
      ended ??= this.#begin(way, undefined).finally(() => handoff.close())
      // Its failure is told by the promise that waits for it.
      ended.catch(() => undefined)
      if (commit === "automatic") last?.settle(undefined)
      last = undefined
      const whole = ended
      return handoff.take().then((offer) => {
        if (offer === undefined) return whole.then(() => ({ done: true, value: undefined }))
        last = offer
        return { done: false, value: this.#held(offer) }
      })
    }
    const finish = (): Promise<IteratorReturnResult<void>> => {
      this.#isAbandoned = commit === "automatic"
      return this.close().then(() => ({ done: true, value: undefined }))
    }
    return { next, return: finish }
  }

  send(topic: string, value: SendValue, options: SendOptions | undefined): Promise<PartitionOffset> {
    if (this.#closed !== undefined) return Promise.reject(closedError())
    return this.#runtime.runPromiseExit(this.#send(topic, value, options)).then(settled)
  }

  close(): Promise<void> {
    this.#stop.openUnsafe()
    this.#closed ??= Promise.resolve(this.#finished).then(() => this.#dispose())
    return isCalledBy(this) ? Promise.resolve() : this.#closed
  }

  #begin(way: Way, signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(closedError())
    if (this.#finished !== undefined) {
      return Promise.reject(new ConsumerStateError("ALREADY_RUNNING", "the consumer runs already: make another one"))
    }
    const { stopOn = defaultSignals } = this.#options
    const release = onStop(stopOn === false ? [] : stopOn, signal, () => this.#stop.openUnsafe())
    const finished = this.#runtime.runPromiseExit(this.#program(way))
    this.#finished = finished
    return finished.then((exit) => {
      release()
      return this.close().then(() => settled(exit))
    })
  }

  #program(way: Way): Effect.Effect<void, PipelineError, Services> {
    return Effect.gen({ self: this }, function*() {
      if (this.#stop.isOpen()) return
      const running = yield* Pipeline.startWithin(pipelineOf(this.#options, way))
      this.#running = running
      yield* Effect.forkScoped(Stream.runForEach(running.consumer.events, (event) => this.#tell(eventOf(event))))
      yield* Effect.raceFirst(running.failure, this.#stop.await).pipe(
        // Here, and not with the scope alone, so that its events are told.
        Effect.ensuring(Effect.andThen(way.beforeShutdown(running), running.shutdown)),
        Effect.ensuring(Effect.yieldNow)
      )
    }).pipe(Effect.scoped)
  }

  #tell(event: ConsumerEvent): Effect.Effect<void> {
    return Effect.forEach(this.#listeners, (listener) =>
      Effect.catchDefect(
        Effect.sync(() => listener(event)),
        (error) => Effect.logError(`a listener of ${event.type} events threw`, error)
      ), { discard: true })
  }

  #held(offer: Offer<V, K>): HeldRecord<V, K> {
    return new HeldRecord(offer.record, (outcome) => {
      if (offer.state === "lost") {
        return Promise.reject(
          new KafkaFailedError("FENCED", `${offer.record} was given up before it was settled; it comes again`, {
            retriable: false
          })
        )
      }
      offer.settle(outcome)
      const running = this.#running
      if (outcome !== undefined || running === undefined || this.#closed !== undefined) return Promise.resolve()
      // The worker settles the record when it goes on, which it does first.
      return this.#runtime.runPromiseExit(Effect.andThen(Effect.yieldNow, running.consumer.flush)).then(settled)
    })
  }

  /** A loop is waited for as a handler is; what it has not taken is given up at once. */
  #untilIdle(running: RunningPipeline["Service"], handoff: Handoff<V, K>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      handoff.close()
      const settings = yield* running.consumer.settings
      if (!this.#isAbandoned) {
        yield* Effect.timeoutOption(handoff.idle, Duration.millis(ConsumerSettings.drainTimeoutMs(settings)))
      }
      yield* Effect.yieldNow
      yield* running.consumer.reconfigure({ ...settings, drainTimeoutMs: 0 })
    })
  }

  #dispose(): Promise<void> {
    return Effect.runPromise(Scope.close(this.#scope, Exit.void)).then(() => this.#runtime.dispose())
  }
}

const closedError = () => new ConsumerStateError("CLOSED", "the consumer is closed")
