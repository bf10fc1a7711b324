/** A pipeline follows its configuration: in place, or by a rejoin in turn with the other members. */
import * as AppliedConfigs from "@weft/config/AppliedConfigs"
import * as ReloadPlan from "@weft/config/ReloadPlan"
import * as RejoinTurns from "@weft/config/RejoinTurns"
import type { Resolved } from "@weft/config/Resolution"
import type { Consumer } from "@weft/kafka/Consumer"
import type { ConsumerEvent } from "@weft/kafka/ConsumerEvent"
import type { ConsumerSettings } from "@weft/kafka/ConsumerSettings"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/**
 * Waits for the group's turn and has it until the scope closes. Without a `RejoinTurns` there is nobody to wait for.
 */
export const makeRejoinTurn = (turn: {
  readonly group: () => string
  readonly member: string
}): Effect.Effect<Effect.Effect<void, never, Scope.Scope>> =>
  Effect.map(
    Effect.serviceOption(RejoinTurns.RejoinTurns),
    Option.match({
      onNone: () => Effect.void,
      onSome: ({ withTurn }) =>
        Effect.gen(function*() {
          const began = yield* Latch.make(false)
          const held = Effect.andThen(began.open, Effect.never)
          yield* Effect.forkScoped(withTurn({ group: turn.group(), member: turn.member }, held))
          yield* began.await
        })
    })
  )

/** What the group said to new settings. */
export type SettingsAnswer = Extract<ConsumerEvent, { readonly _tag: "SettingsAccepted" | "SettingsRefused" }>

export const isSettingsAnswer = (event: ConsumerEvent): event is SettingsAnswer =>
  event._tag === "SettingsAccepted" || event._tag === "SettingsRefused"

/** Applies each configuration that comes, by its plan. Where the group refuses one, the one before holds again. */
export const follow = Effect.fnUntraced(function*(options: {
  readonly service: string
  readonly member: string
  readonly first: Resolved
  readonly changes: Stream.Stream<Resolved>
  readonly consumer: Consumer["Service"]
  /** All of them, also those that come while a database is slow to take a report. */
  readonly answers: Queue.Dequeue<SettingsAnswer>
  readonly settingsOf: (resolved: Resolved) => ConsumerSettings
  readonly apply: (resolved: Resolved, settings: ConsumerSettings) => void
}) {
  const { answers, changes, consumer, first, member, service, settingsOf } = options
  const applied = yield* Effect.serviceOption(AppliedConfigs.AppliedConfigs)
  let current = first
  let accepted = first

  const report = Effect.suspend(() =>
    Option.match(applied, {
      onNone: () => Effect.void,
      onSome: ({ report }) => report({ service, member, group: settingsOf(current).groupId, resolved: current })
    })
  )
  const use = (resolved: Resolved): ConsumerSettings => {
    current = resolved
    const settings = settingsOf(resolved)
    options.apply(resolved, settings)
    return settings
  }

  yield* report
  yield* Effect.addFinalizer(() =>
    Option.match(applied, { onNone: () => Effect.void, onSome: ({ leave }) => leave({ service, member }) })
  )
  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(answers), ({ _tag }) => {
    if (_tag === "SettingsAccepted") accepted = current
    else use(accepted)
    return report
  })))
  yield* Effect.forkScoped(Stream.runForEach(changes, (resolved) =>
    Effect.gen(function*() {
      const plan = ReloadPlan.make(current, resolved)
      // What needs a start of the process stays as it was.
      const kept = ReloadPlan.changesOf(plan, "restart").map(({ setting }) => [setting, current.provenance[setting]])
      const next: Resolved = {
        ...resolved,
        config: ReloadPlan.step(plan, "rejoin"),
        provenance: { ...resolved.provenance, ...Object.fromEntries(kept) }
      }
      const mustRejoin = ReloadPlan.changesOf(plan, "rejoin").length > 0
      if (!mustRejoin && accepted === current) accepted = next
      if (!ReloadPlan.isEmpty(plan)) yield* Effect.logInfo(`configuration changed: ${ReloadPlan.render(plan)}`)
      const settings = use(next)
      yield* consumer.reconfigure(settings)
      if (!mustRejoin) yield* report
    })))
})
