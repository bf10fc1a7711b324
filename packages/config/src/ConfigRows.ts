/**
 * Rows of configuration kept in memory: what `ConfigStore.layerMemory` reads, and what a test changes.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SubscriptionRef from "effect/SubscriptionRef"
import type * as ConfigIssue from "./ConfigIssue.ts"
import type * as ConfigRow from "./ConfigRow.ts"

/**
 * The columns of a row by SQL name, as a database would give them.
 *
 * @category models
 * @since 0.1.0
 */
export type Columns = ConfigRow.Columns

/**
 * The rows by service. A service that is not there has no row.
 *
 * @category models
 * @since 0.1.0
 */
export type Rows = ReadonlyMap<string, ConfigRow.RowResult>

/**
 * Rows of configuration in memory, which can be changed and watched.
 *
 * @category services
 * @since 0.1.0
 */
export class ConfigRows extends Context.Service<ConfigRows, {
  readonly rows: SubscriptionRef.SubscriptionRef<Rows>
  /** Replaces the row of a service. */
  readonly set: (service: string, columns: Columns) => Effect.Effect<void>
  /** Removes the row of a service. */
  readonly remove: (service: string) => Effect.Effect<void>
  /** Lets reading the row of a service answer with a reason, such as `DatabaseUnreachable`, until it is set again. */
  readonly fail: (service: string, reason: ConfigIssue.NoRow) => Effect.Effect<void>
}>()("@weft/config/ConfigRows") {}

/**
 * Rows in memory, starting with the given ones.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (initial: { readonly [service: string]: Columns } = {}): Layer.Layer<ConfigRows> =>
  Layer.effect(
    ConfigRows,
    Effect.gen(function*() {
      const rows = yield* SubscriptionRef.make<Rows>(
        new Map(Object.entries(initial).map(([service, columns]) => [service, { _tag: "Row", columns }]))
      )
      const put = (service: string, row: ConfigRow.RowResult) =>
        SubscriptionRef.update(rows, (all) => new Map(all).set(service, row))
      return ConfigRows.of({
        rows,
        set: (service, columns) => put(service, { _tag: "Row", columns }),
        remove: (service) => put(service, { _tag: "NoRow", reason: { _tag: "MissingRow", service } }),
        fail: (service, reason) => put(service, { _tag: "NoRow", reason })
      })
    })
  )
