import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as LastKnownGoodFiles from "@weft/config/LastKnownGoodFiles"
import type * as Resolution from "@weft/config/Resolution"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pool } from "./support/database.ts"
import { restartable } from "./support/restartable.ts"

const stateFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "weft-state-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

/** A consumer's store as one process has it: built anew each time, without polls, on the same files. */
const processOn = (url: string, folder: string) =>
  Layer.fresh(
    PostgresConfigStore.layerWith({
      pollInterval: "1 hour",
      // No poll comes after a reading that a busy machine was too slow for.
      queryTimeout: "10 seconds",
      lastKnownGood: LastKnownGoodFiles.layerFolder(folder)
    }).pipe(Layer.provide(pool(url)))
  )

const tags = ({ issues }: Resolution.Resolved) => issues.map(({ _tag }) => _tag)

const setRecords = (url: string, records: number) =>
  Effect.gen(function*() {
    const sql = yield* PgClient.PgClient
    yield* sql`INSERT INTO pipeline_consumer_configs (service_name, max_poll_records) VALUES ('svc', ${records})
      ON CONFLICT (service_name) DO UPDATE SET max_poll_records = EXCLUDED.max_poll_records`
  }).pipe(Effect.provide(pool(url)), Effect.orDie)

const watch = Effect.gen(function*() {
  const store = yield* ConfigStore.ConfigStore
  const seen = yield* Queue.unbounded<Resolution.Resolved>()
  yield* Effect.forkScoped(Stream.runForEach(store.changes("svc"), (resolved) => Queue.offer(seen, resolved)))
  const until = (fits: (resolved: Resolution.Resolved) => boolean): Effect.Effect<Resolution.Resolved> =>
    Effect.filterOrElse(Queue.take(seen), fits, () => until(fits))
  return { seen, until }
})

describe("the database comes and goes", () => {
  it.live(
    "8 configuration: stopped and started again, killed and started again, the last row holds; changes resume",
    () =>
      Effect.gen(function*() {
        const server = yield* restartable
        const folder = yield* stateFolder
        yield* SqlMigrator.run().pipe(Effect.provide(pool(server.url)))
        yield* setRecords(server.url, 1)
        yield* Effect.gen(function*() {
          const store = yield* ConfigStore.ConfigStore
          const { until } = yield* watch
          yield* until(({ config }) => config.maxPollRecords === 1)
          for (const [how, records] of [["orderly", 2], ["killed", 3]] as const) {
            yield* server.stop(how)
            // The backends of a killed server may answer once more before they notice.
            const during = yield* store.load("svc").pipe(Effect.repeat({ until: ({ issues }) => issues.length > 0 }))
            const begin = yield* Clock.currentTimeMillis
            yield* store.load("svc")
            assert.isBelow((yield* Clock.currentTimeMillis) - begin, 12_000)
            assert.deepStrictEqual(tags(during), ["DatabaseUnreachable"])
            assert.deepInclude(during.provenance.maxPollRecords, { value: records - 1, source: "row" })
            yield* server.start
            // Without polls, the change is found by the listener's resync or told to it.
            yield* setRecords(server.url, records)
            yield* until(({ config, issues }) => config.maxPollRecords === records && issues.length === 0)
          }
        }).pipe(Effect.scoped, Effect.provide(processOn(server.url, folder)))
      }).pipe(Effect.scoped, Effect.timeout("4 minutes")),
    300_000
  )

  it.live(
    "8 configuration: away at the start, the last known good holds, and the defaults for who has none",
    () =>
      Effect.gen(function*() {
        const server = yield* restartable
        const folder = yield* stateFolder
        yield* SqlMigrator.run().pipe(Effect.provide(pool(server.url)))
        yield* setRecords(server.url, 7)
        const load = (service: string) => Effect.flatMap(ConfigStore.ConfigStore, (store) => store.load(service))
        yield* load("svc").pipe(Effect.provide(processOn(server.url, folder)))
        yield* server.stop()
        yield* Effect.gen(function*() {
          const known = yield* load("svc")
          assert.deepStrictEqual(tags(known), ["DatabaseUnreachable", "LastKnownGood"])
          assert.deepInclude(known.provenance.maxPollRecords, { value: 7, source: "lastKnownGood" })
          assert.deepInclude((yield* load("new")).provenance.maxPollRecords, { value: 100, source: "default" })
          const { until } = yield* watch
          yield* until(({ config }) => config.maxPollRecords === 7)
          yield* server.start
          const back = yield* until(({ issues }) => issues.length === 0)
          assert.deepInclude(back.provenance.maxPollRecords, { value: 7, source: "row" })
        }).pipe(Effect.scoped, Effect.provide(processOn(server.url, folder)))
      }).pipe(Effect.scoped, Effect.timeout("4 minutes")),
    300_000
  )

  it.live(
    "9 reload: backends terminated again and again under the listener, each change arrives",
    () =>
      Effect.gen(function*() {
        const server = yield* restartable
        const folder = yield* stateFolder
        yield* SqlMigrator.run().pipe(Effect.provide(pool(server.url)))
        yield* setRecords(server.url, 1)
        yield* Effect.gen(function*() {
          const { until } = yield* watch
          yield* until(({ config }) => config.maxPollRecords === 1)
          const killing = yield* Effect.gen(function*() {
            const sql = yield* PgClient.PgClient
            yield* sql`
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'weft'
              AND query LIKE 'LISTEN%'`
          }).pipe(
            Effect.provide(pool(server.url, { applicationName: "killer" })),
            Effect.ignore,
            Effect.andThen(Effect.sleep("150 millis")),
            Effect.forever,
            Effect.forkScoped
          )
          for (let records = 2; records <= 12; records++) {
            yield* setRecords(server.url, records)
            yield* until(({ config }) => config.maxPollRecords === records)
          }
          yield* Fiber.interrupt(killing)
        }).pipe(Effect.scoped, Effect.provide(processOn(server.url, folder)))
      }).pipe(Effect.scoped, Effect.timeout("4 minutes")),
    300_000
  )
})
