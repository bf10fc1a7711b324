/**
 * The pipelines of a process, for those who ask after the health of all of them.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Health, ServiceHealth } from "./Health.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface HealthRegistry {
  /** Adds a pipeline until the scope is closed. */
  readonly register: (service: string, health: Effect.Effect<Health>) => Effect.Effect<void, never, Scope.Scope>
  /** Each in the order in which it was added; several of one service are told one by one. */
  readonly all: Effect.Effect<ReadonlyArray<ServiceHealth>>
}

/**
 * A registry of its own: for programs that answer for some of their pipelines only.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): HealthRegistry => {
  const entries = new Set<Effect.Effect<ServiceHealth>>()
  return {
    register: (service, health) =>
      Effect.asVoid(Effect.acquireRelease(
        Effect.sync(() => {
          const entry = Effect.map(health, (known): ServiceHealth => ({ service, ...known }))
          entries.add(entry)
          return entry
        }),
        (entry) => Effect.sync(() => entries.delete(entry))
      )),
    all: Effect.suspend(() => Effect.all([...entries]))
  }
}

/**
 * Where pipelines register when they start. By default all pipelines of the process share one.
 *
 * @category references
 * @since 0.1.0
 */
export const HealthRegistry = Context.Reference<HealthRegistry>("@weft/pipeline/HealthRegistry", {
  defaultValue: make
})
