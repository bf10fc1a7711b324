/**
 * Looks at the facts on a clock, keeps the alerts, and tells sinks of them. It may run in every member: one at a time does
 * the work, and another goes on where it ends.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type AlertTransition, stateOf } from "./Alert.ts"
import { AlertFacts } from "./AlertFacts.ts"
import * as AlertRules from "./AlertRules.ts"
import { AlertSink } from "./AlertSink.ts"
import { AlertStore } from "./AlertStore.ts"
import * as AlertTracker from "./AlertTracker.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Time between two looks, give or take a tenth. Default 15 seconds. */
  readonly interval?: Duration.Input | undefined
  /** Default `AlertRules.rules`. */
  readonly rules?: ReadonlyArray<AlertRules.AlertRule> | undefined
  /** How long an alert stays open without a new measurement of its subject. Default 15 minutes. */
  readonly expireAfter?: Duration.Input | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface DeliveryOptions {
  /** How often it is looked for alerts that another process changed. Default 10 seconds. */
  readonly interval?: Duration.Input | undefined
  /** The longest wait after a failed delivery; the first is a second, each next one twice as long. Default 1 minute. */
  readonly backOffMax?: Duration.Input | undefined
}

/** The figures of open alerts are brought up to date that often. */
const refreshMs = 60_000
const evaluating = "evaluate"

/** Says the first failure in a row, and that it is over. */
const sayingOnce = (what: string) => {
  let isFailing = false
  return {
    failed: (error: { readonly message: string }) =>
      Effect.suspend(() => {
        if (isFailing) return Effect.logDebug(`${what}: ${error.message}`)
        isFailing = true
        return Effect.logWarning(`${what}, it is tried again: ${error.message}`)
      }),
    worked: Effect.suspend(() => {
      if (!isFailing) return Effect.void
      isFailing = false
      return Effect.logInfo(`${what}: no longer`)
    })
  }
}

const say = (transition: AlertTransition): Effect.Effect<void> => {
  const { alert } = transition
  const line = transition._tag === "Opened"
    ? `alert (${alert.severity}): ${alert.message}`
    : transition._tag === "Changed"
    ? `alert (${transition.from} -> ${alert.severity}): ${alert.message}`
    : `alert closed (${transition.because}): ${alert.message}`
  return Effect.annotateLogs(transition._tag === "Closed" ? Effect.logInfo(line) : Effect.logWarning(line), {
    service: alert.service,
    kind: alert.kind,
    ...(alert.topic !== undefined && { topic: alert.topic }),
    ...(alert.partition !== undefined && { partition: alert.partition })
  })
}

const around = (interval: Duration.Duration) =>
  Effect.flatMap(Random.nextBetween(0.9, 1.1), (part) => Effect.sleep(Duration.toMillis(interval) * part))

const evaluator = Effect.fnUntraced(function*(
  options: Options
): Effect.fn.Return<void, never, AlertFacts | AlertStore | Scope.Scope> {
  const facts = yield* AlertFacts
  const store = yield* AlertStore
  const interval = Duration.fromInputUnsafe(options.interval ?? "15 seconds")
  const rules = options.rules ?? AlertRules.rules
  const expireAfterMs = Duration.toMillis(Duration.fromInputUnsafe(options.expireAfter ?? "15 minutes"))
  const saying = sayingOnce("alerts cannot be judged")
  /** `undefined`: the open alerts have to be read first. */
  let state: AlertTracker.AlertTracking | undefined
  let refreshedAt = 0

  const once = Effect.gen(function*() {
    const turn = yield* store.turn(evaluating)
    if (turn !== "kept") state = undefined
    if (turn === "others") return
    const before = state ?? AlertTracker.fromOpen(yield* store.open, yield* Clock.currentTimeMillis)
    state = before
    const readings = AlertRules.read(yield* facts.look, rules)
    const now = yield* Clock.currentTimeMillis
    const looked = AlertTracker.look(before, readings, now, { expireAfterMs })
    const refreshed = now - refreshedAt >= refreshMs ? looked.refreshed : []
    if (refreshed.length > 0) refreshedAt = now
    if (looked.transitions.length + refreshed.length > 0) {
      // Whether it was written is not known until the answer is there: without one, the rows say it.
      state = undefined
      if (!(yield* store.record({ transitions: looked.transitions, refreshed }))) return
      yield* Effect.forEach(looked.transitions, say, { discard: true })
    }
    state = looked.state
  }).pipe(
    Effect.andThen(saying.worked),
    Effect.catch(saying.failed),
    // A rule of one's own that throws must not end the watch without a word.
    Effect.catchDefect((defect) => saying.failed({ message: Inspectable.toStringUnknown(defect) }))
  )

  yield* Effect.addFinalizer(() => store.giveBack(evaluating))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(once, around(interval))))
})

/**
 * Judges the facts by the rules, as long as the layer lives. It may run in each of many processes: those that share a store
 * take turns, and one that dies is followed by another, which finds the open alerts in the store. What opens is not known
 * to the next one before it is open: it counts bad looks anew.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, never, AlertFacts | AlertStore> =>
  Layer.effectDiscard(evaluator(options))

const delivery = Effect.fnUntraced(function*(
  options: DeliveryOptions
): Effect.fn.Return<void, never, AlertSink | AlertStore | Scope.Scope> {
  const sink = yield* AlertSink
  const store = yield* AlertStore
  const interval = Duration.fromInputUnsafe(options.interval ?? "10 seconds")
  const backOffMaxMs = Duration.toMillis(Duration.fromInputUnsafe(options.backOffMax ?? "1 minute"))
  const turnName = `tell ${sink.name}`
  const saying = sayingOnce(`${sink.name} cannot be told of alerts`)
  const news = Latch.makeUnsafe(true)
  let failures = 0

  const rest = Effect.suspend(() => Effect.andThen(Effect.timeoutOption(news.await, interval), news.close))

  const backOff = Effect.fnUntraced(function*(retryAfterMs: number) {
    // Not all at once after an outage of the receiver.
    const jitter = yield* Random.nextBetween(0.8, 1.2)
    const ms = Math.min(backOffMaxMs, 1_000 * 2 ** Math.min(failures++, 20)) * jitter
    yield* Effect.sleep(Math.max(ms, Math.min(retryAfterMs, backOffMaxMs * 10)))
  })

  const once = Effect.gen(function*() {
    const isMine = (yield* store.turn(turnName)) !== "others"
    const alerts = isMine ? yield* store.untold(sink.name, sink.batchSize) : []
    if (alerts.length > 0) {
      yield* sink.deliver(alerts)
      failures = 0
      yield* store.told(sink.name, alerts.map((alert) => ({ id: alert.id, state: stateOf(alert) })))
    }
    yield* saying.worked
    if (alerts.length === 0) yield* rest
  }).pipe(
    Effect.catchTags({
      AlertSinkError: (error) => Effect.andThen(saying.failed(error), backOff(error.retryAfterMs ?? 0)),
      AlertStoreError: (error) => Effect.andThen(saying.failed(error), backOff(0))
    }),
    Effect.catchDefect((defect) =>
      Effect.andThen(saying.failed({ message: Inspectable.toStringUnknown(defect) }), backOff(0))
    )
  )

  yield* Effect.addFinalizer(() => store.giveBack(turnName))
  yield* Effect.forkScoped(Stream.runForEach(store.changes, () => news.open))
  yield* Effect.forkScoped(Effect.forever(once))
})

/**
 * Tells a sink the state of each alert: that it opened, that its severity changed, that it closed. What was told is
 * recorded in the store, so that another process goes on after this one; a process that ends between the two tells it
 * twice. The store is the queue, and states are told, not their history: a receiver that was away for an hour is told
 * what holds now. It never fails.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerDelivery = (options: DeliveryOptions = {}): Layer.Layer<never, never, AlertSink | AlertStore> =>
  Layer.effectDiscard(delivery(options))
