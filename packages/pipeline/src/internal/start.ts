/** Puts a pipeline together and takes it apart in the right order. */
import * as ConfigStore from "@weft/config/ConfigStore"
import { toConsumerSettings } from "@weft/config/ConsumerConfig"
import { type Resolved, summary } from "@weft/config/Resolution"
import * as Consumer from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import type { Subscription } from "@weft/kafka/Subscription"
import type { Transport } from "@weft/kafka/Transport"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { hostname } from "node:os"
import * as Health from "../Health.ts"
import * as LagMonitor from "../LagMonitor.ts"
import type { MetricsSink } from "../MetricsSink.ts"
import type { PipelineError } from "../PipelineError.ts"
import type { Definition } from "../PipelineOptions.ts"
import type { RunningPipeline } from "../RunningPipeline.ts"
import { runBatch } from "./batchRun.ts"
import * as DeadLetters from "./deadLetters.ts"
import { brokerLimits } from "./brokerLimits.ts"
import { Exposed } from "./exposed.ts"
import { feed } from "./feeder.ts"
import { Hub } from "./hub.ts"
import * as Measure from "./measure.ts"
import { MemberStats } from "./memberStats.ts"
import { Pace } from "./pace.ts"
import { runRecords } from "./recordRun.ts"
import * as Recovery from "./recovery.ts"
import * as Reload from "./reload.ts"
import * as Spans from "./spans.ts"
import { type Run, worker } from "./workers.ts"

/** How long handlers that outlived the drain deadline are waited for when they are interrupted. */
const interruptionGrace = Duration.seconds(5)

/** The settings of the consumer: the configuration, then what the definition insists on. */
const settingsOf = (
  definition: Definition<unknown>,
  { config }: Resolved
): ConsumerSettings.ConsumerSettings =>
  ConsumerSettings.make({
    ...toConsumerSettings(config, hostname()),
    clientId: definition.service,
    ...(definition.drainTimeout === undefined
      ? {}
      : { drainTimeoutMs: Duration.toMillis(Duration.fromInputUnsafe(definition.drainTimeout)) }),
    ...definition.overrides
  })

export const start = Effect.fnUntraced(function*<R>(
  subscription: Subscription,
  given: Definition<R>,
  asked: ConfigStore.Options
): Effect.fn.Return<
  RunningPipeline["Service"],
  never,
  Transport | ConfigStore.ConfigStore | MetricsSink | Scope.Scope | R
> {
  // What the handler requires is in the context that workers are started with.
  const definition = given as Definition<unknown>
  const { service } = definition
  const store = yield* ConfigStore.ConfigStore
  const source = { ...asked, broker: yield* brokerLimits }
  const first = yield* store.load(service, source)
  let applied = first
  let health = Health.initial
  const group = () => hub.settings.groupId

  const fatal = yield* Deferred.make<never, PipelineError>()
  const scheduler = yield* Scheduler.Scheduler
  const hub = new Hub({
    definition,
    settings: settingsOf(definition, first),
    work: first.config,
    clock: yield* Clock.Clock,
    random: yield* Random.Random,
    dispatcher: scheduler.makeDispatcher(),
    context: yield* Effect.context<never>(),
    fatal
  })

  return yield* Effect.gen(function*() {
    yield* Effect.logInfo(`starting; configuration: ${summary(first)}`)
    const deadLetters = yield* DeadLetters.make({
      deadLetter: definition.deadLetter ?? {},
      group,
      clientId: () => hub.settings.clientId
    })
    const recovery = Recovery.make(hub, deadLetters)
    const spans = yield* Spans.make(definition, hub.settings.groupId)
    const run: Run = hub.isBatched ? runBatch(hub, spans, recovery) : runRecords(hub, spans, recovery)

    // From here on what begins later ends earlier. The workers outlive the consumer: it drains while they finish.
    const startWorker = yield* workersRuntime<R>()
    hub.startWorker = () => void startWorker(worker(hub, run) as Effect.Effect<void, never, R>)
    const startFeeder = yield* FiberSet.makeRuntime<never>()
    // Told apart from others of the service, also before it has joined and after it has joined again.
    const member = `${hub.settings.clientId}-${
      (yield* Random.nextIntBetween(0, 0xffffff)).toString(16).padStart(6, "0")
    }`
    const exposed = new Exposed(hub.context, service, hub.settings.groupId)
    const memberStats = new MemberStats()
    const answers = yield* Queue.unbounded<Reload.SettingsAnswer>()
    const consumer = yield* Consumer.make({
      subscription,
      settings: hub.settings,
      workerOf: hub.workerOf,
      // Not by the stream of events, which a slow reader misses some of.
      onEvent: (event) => {
        health = Health.observe(health, event)
        memberStats.observe(event)
        if (Reload.isSettingsAnswer(event)) Queue.offerUnsafe(answers, event)
        if (event._tag === "Committed" && hub.isMeasured) exposed.committed(event.durationMs)
      },
      rejoinTurn: yield* Reload.makeRejoinTurn({ group, member })
    })
    const pace = new Pace(hub.dispatcher, () => applied.config.metricsIntervalMs)
    const monitor = LagMonitor.make({ service, group, consumer })
    const measuring = hub.isMeasured
      ? yield* Measure.make({ hub, monitor, consumer, memberStats, exposed, name: member, pace: pace.wait })
      : Measure.none

    yield* Effect.forkScoped(Effect.catch(
      Stream.runForEach(consumer.partitions, (handle) =>
        Effect.sync(() => {
          startFeeder(feed(hub, handle))
        })),
      (error) => Deferred.fail(fatal, error)
    ))
    yield* Reload.follow({
      service,
      member,
      first,
      changes: store.changes(service, source),
      consumer,
      answers,
      settingsOf: (resolved) => settingsOf(definition, resolved),
      apply: (resolved, settings) => {
        applied = resolved
        hub.apply(settings, resolved.config)
        pace.reconsider()
      }
    })
    yield* Effect.forkScoped(Effect.catchCause(Deferred.await(fatal), (cause) =>
      Effect.sync(() => {
        health = Health.failed(health, cause)
      })))
    const shutdown = Effect.andThen(
      consumer.shutdown,
      Effect.sync(() => {
        health = Health.stopped(health)
      })
    )
    yield* Effect.addFinalizer(() => Effect.andThen(shutdown, measuring.finish))

    return {
      service,
      consumer,
      configuration: Effect.sync(() => applied),
      health: Effect.sync(() => health),
      totals: Effect.sync(() => hub.totals),
      lag: Effect.sync(() => measuring.lag()),
      tune: (options: Parameters<RunningPipeline["Service"]["tune"]>[0]) => Effect.sync(() => hub.tune(options)),
      failure: Deferred.await(fatal),
      shutdown
    }
  }).pipe(Effect.annotateLogs({ service, group: hub.settings.groupId }))
})

/** Starts workers; a handler that cannot be interrupted does not hold up the end of the program for ever. */
const workersRuntime = Effect.fnUntraced(function*<R>() {
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() =>
    Effect.gen(function*() {
      const closing = yield* Effect.forkDetach(Scope.close(scope, Exit.void))
      const closed = yield* Fiber.await(closing).pipe(Effect.timeoutOption(interruptionGrace))
      if (closed._tag === "None") yield* Effect.logWarning("handlers that cannot be interrupted are left behind")
    })
  )
  return yield* Effect.provideService(FiberSet.makeRuntime<R>(), Scope.Scope, scope)
})
