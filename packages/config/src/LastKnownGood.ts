/**
 * The last known good configuration: what was read of each service, kept outside of the process, so that a start while
 * the database is away begins with it instead of the defaults.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ConfigRow from "./ConfigRow.ts"
import type * as ConfigStore from "./ConfigStore.ts"
import * as Saved from "./internal/savedRow.ts"

/**
 * Whose row it is: the service, and the database that it was read from (`host:port/name`), since one machine may run
 * the same service on several.
 *
 * @category models
 * @since 0.1.0
 */
export type SavedKey = Saved.SavedKey

/**
 * What is kept of a row: its settings and its profile.
 *
 * @category models
 * @since 0.1.0
 */
export type SavedRow = Saved.SavedRow

/**
 * Keeps rows. Neither reading nor writing ever fails; what goes wrong is logged once.
 *
 * @category services
 * @since 0.1.0
 */
export class LastKnownGood extends Context.Service<LastKnownGood, {
  readonly read: (key: SavedKey) => Effect.Effect<Option.Option<SavedRow>>
  readonly write: (key: SavedKey, row: SavedRow) => Effect.Effect<void>
}>()("@weft/config/LastKnownGood") {}

/**
 * Keeps nothing: a start without the database begins with profile and defaults.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNone: Layer.Layer<LastKnownGood> = Layer.succeed(LastKnownGood, {
  read: () => Effect.succeedNone,
  write: () => Effect.void
})

/**
 * Keeps rows in memory, for as long as the layer lives.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<LastKnownGood> = Layer.sync(LastKnownGood, () => {
  const rows = new Map<string, SavedRow>()
  const keyOf = ({ service, store }: SavedKey) => JSON.stringify([store, service])
  return {
    read: (key) => Effect.sync(() => Option.fromUndefinedOr(rows.get(keyOf(key)))),
    write: (key, row) => Effect.sync(() => void rows.set(keyOf(key), row))
  }
})

/**
 * A source of rows that keeps what it reads, whenever that changes, and answers with what was kept where it cannot be
 * asked and was never answered before. Once it has been, an outage is answered as such: the store holds the last row.
 *
 * @category combinators
 * @since 0.1.0
 */
export const remember = (
  source: ConfigStore.RowSource,
  kept: LastKnownGood["Service"],
  store: string
): ConfigStore.RowSource => {
  const written = new Map<string, SavedRow>()
  const write = Effect.fnUntraced(function*(service: string, row: ConfigRow.RowResult) {
    const saved = Saved.fromRow(row, yield* Clock.currentTimeMillis)
    const before = written.get(service)
    written.set(service, saved)
    if (before === undefined || !Saved.same(before, saved)) yield* kept.write({ store, service }, saved)
  })
  return {
    signals: source.signals,
    read: Effect.fnUntraced(function*(service, profile) {
      const row = yield* source.read(service, profile)
      if (!ConfigRow.isOutage(row)) {
        yield* write(service, row)
        return row
      }
      if (written.has(service) || row._tag !== "NoRow") return row
      const saved = yield* kept.read({ store, service })
      return Option.match(saved, {
        onNone: () => row,
        onSome: (found): ConfigRow.RowResult => ({ _tag: "LastKnownGood", ...found, reason: row.reason })
      })
    })
  }
}
