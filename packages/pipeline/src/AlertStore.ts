/**
 * Where alerts are kept, and who may write them: one evaluator at a time.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import { type Alert, type AlertState, type AlertSubject, keyOf, stateOf, type StoredAlert } from "./Alert.ts"
import type { Looked } from "./AlertTracker.ts"

/**
 * The store cannot be asked; the next round tries again.
 *
 * @category errors
 * @since 0.1.0
 */
export class AlertStoreError extends Data.TaggedError("AlertStoreError")<{
  readonly message: string
  readonly cause: unknown
}> {}

/**
 * The answer to one who asks for a turn: `taken` (it was another's or nobody's until now), `kept` (it was this one's all
 * the time), or `others`.
 *
 * @category models
 * @since 0.1.0
 */
export type Turn = "taken" | "kept" | "others"

/**
 * What was told of an alert.
 *
 * @category models
 * @since 0.1.0
 */
export interface Told {
  readonly id: string
  readonly state: AlertState
}

/**
 * An alert that opened and closed without anybody being told is worth telling for an hour.
 *
 * @category constants
 * @since 0.1.0
 */
export const untoldWithinMs = 3_600_000

/**
 * That an alert is over is worth telling for a day to those who know that it was open.
 *
 * @category constants
 * @since 0.1.0
 */
export const closedWithinMs = 86_400_000

/**
 * @category services
 * @since 0.1.0
 */
export class AlertStore extends Context.Service<AlertStore, {
  /**
   * Takes a turn, or renews it. It stays with its holder as long as that renews it in time; a holder that dies loses it
   * by itself. `evaluate` is the turn to judge; each sink has one of its own.
   */
  readonly turn: (name: string) => Effect.Effect<Turn, AlertStoreError>
  readonly giveBack: (name: string) => Effect.Effect<void>
  /** The open alerts. */
  readonly open: Effect.Effect<ReadonlyArray<StoredAlert>, AlertStoreError>
  /**
   * Writes what a look changed, all of it or nothing. `false`: nothing was written, as the turn to evaluate is another's by
   * now.
   */
  readonly record: (looked: Pick<Looked, "refreshed" | "transitions">) => Effect.Effect<boolean, AlertStoreError>
  /** Alerts of which a sink has not been told the present state, oldest first. */
  readonly untold: (sink: string, limit: number) => Effect.Effect<ReadonlyArray<StoredAlert>, AlertStoreError>
  readonly told: (sink: string, alerts: ReadonlyArray<Told>) => Effect.Effect<void, AlertStoreError>
  /** An element whenever this process has changed alerts. */
  readonly changes: Stream.Stream<void>
}>()("@weft/pipeline/AlertStore") {}

/** Of one alert. */
interface Kept {
  readonly alert: StoredAlert
  readonly told: ReadonlyMap<string, AlertState>
}

/** Closed alerts that are kept. */
const closedMax = 1_000

const isWorthTelling = ({ alert, told }: Kept, sink: string, now: number): boolean => {
  const before = told.get(sink)
  if (before === stateOf(alert)) return false
  return alert.closedAt === undefined
    || now - alert.closedAt < (before === undefined ? untoldWithinMs : closedWithinMs)
}

/**
 * Alerts in memory, for one process: every turn is its own. Of the closed ones it keeps the last thousand.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<AlertStore> = Layer.effect(
  AlertStore,
  Effect.gen(function*() {
    const pubsub = yield* PubSub.sliding<void>(1)
    const kept = new Map<string, Kept>()
    const openIds = new Map<string, string>()
    const turns = new Set<string>()
    let lastId = 0

    const update = (subject: AlertSubject, change: (alert: StoredAlert) => StoredAlert) => {
      const id = openIds.get(keyOf(subject))
      const one = id === undefined ? undefined : kept.get(id)
      if (one !== undefined) kept.set(one.alert.id, { ...one, alert: change(one.alert) })
    }
    const add = (alert: Alert) => {
      const key = keyOf(alert)
      if (openIds.has(key)) return update(alert, (before) => ({ ...before, ...alert }))
      const id = String(++lastId)
      openIds.set(key, id)
      kept.set(id, {
        alert: { ...alert, id, closedBecause: undefined, acknowledgedAt: undefined, acknowledgedBy: undefined },
        told: new Map()
      })
    }
    const forgetOldest = () => {
      let tooMany = kept.size - openIds.size - closedMax
      for (const [id, { alert }] of kept) {
        if (tooMany <= 0) return
        if (alert.closedAt === undefined) continue
        kept.delete(id)
        tooMany--
      }
    }

    return AlertStore.of({
      turn: (name) =>
        Effect.sync(() => {
          if (turns.has(name)) return "kept"
          turns.add(name)
          return "taken"
        }),
      giveBack: (name) => Effect.sync(() => void turns.delete(name)),
      open: Effect.sync(() => [...openIds.values()].map((id) => kept.get(id)!.alert)),
      record: ({ refreshed, transitions }) =>
        Effect.suspend(() => {
          for (const transition of transitions) {
            const { alert } = transition
            switch (transition._tag) {
              case "Opened":
                add(alert)
                break
              case "Changed":
                update(alert, (before) => ({ ...before, ...alert }))
                break
              case "Closed":
                update(alert, (before) => ({ ...before, ...alert, closedBecause: transition.because }))
                openIds.delete(keyOf(alert))
            }
          }
          for (const alert of refreshed) update(alert, (before) => ({ ...before, ...alert }))
          forgetOldest()
          return transitions.length === 0 ? Effect.succeed(true) : Effect.as(PubSub.publish(pubsub, undefined), true)
        }),
      untold: (sink, limit) =>
        Effect.map(
          Clock.currentTimeMillis,
          (now) =>
            [...kept.values()].filter((one) => isWorthTelling(one, sink, now)).slice(0, limit).map(({ alert }) => alert)
        ),
      told: (sink, alerts) =>
        Effect.sync(() => {
          for (const { id, state } of alerts) {
            const one = kept.get(id)
            if (one !== undefined) kept.set(id, { ...one, told: new Map(one.told).set(sink, state) })
          }
        }),
      changes: Stream.fromPubSub(pubsub)
    })
  })
)
