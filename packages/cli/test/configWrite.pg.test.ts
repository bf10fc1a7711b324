import { assert, describe, it } from "@effect/vitest"
import { AppliedConfigs } from "@weft/config/AppliedConfigs"
import { ConfigWriter, layer as writerLayer } from "@weft/postgres/ConfigWriter"
import * as Postgres from "@weft/postgres/Postgres"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freshDatabase } from "../../../test-support/servers.ts"
import { database, json, weft } from "./support/weft.ts"

/** Runs with a database of its own that has Weft's tables. */
const withTables = <A, E, R>(test: (url: string) => Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const url = yield* Effect.promise(freshDatabase)
    yield* Effect.provide(SqlMigrator.run(), Postgres.layerUrl(Redacted.make(url)))
    return yield* Effect.provide(test(url), database(url))
  })

/** A text in a file. */
const file = Effect.fnUntraced(function*(text: string) {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "weft-cli-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const path = join(folder, "consumers.yaml")
  yield* Effect.promise(() => writeFile(path, text))
  return path
})

const value = (service: string, setting: string) =>
  Effect.map(weft(`config get ${service} ${setting}`), ({ code, out }) => code === 0 ? out : `exit ${code}`)

/** A member of the service that runs with what its row says now. */
const member = Effect.fnUntraced(function*(url: string, service: string) {
  const layers = Layer.merge(writerLayer, PostgresAppliedConfigs.layer).pipe(
    Layer.provide(Postgres.layerUrl(Redacted.make(url)))
  )
  const context = yield* Layer.build(layers)
  yield* Effect.gen(function*() {
    const resolved = yield* (yield* ConfigWriter).get(service)
    const applied = yield* AppliedConfigs
    yield* applied.report({ service, member: "m1", group: resolved.config.consumerGroupId, resolved })
    while ((yield* applied.list(service)).length === 0) yield* Effect.sleep("20 millis")
  }).pipe(Effect.provide(context))
})

describe("weft config set", () => {
  it.live("makes a row, changes it, tells each change and how it applies", () =>
    withTables(() =>
      Effect.gen(function*() {
        const made = yield* weft(
          "config set geo consumer_group_id=loom-geo max.poll.records=10 session_timeout_ms=30000"
        )
        assert.deepStrictEqual([made.code, made.err], [0, ""])
        assert.match(made.out, /^made a row for geo, revision 1\n/)
        assert.strictEqual(yield* value("geo", "max_poll_records"), "10")
        const changed = yield* weft("config set geo maxPollRecords=500 session_timeout_ms=45000")
        assert.match(changed.out, /^changed geo, revision 2\n/)
        assert.match(changed.out, /max_poll_records +10 +500 +hot/)
        assert.match(changed.out, /session_timeout_ms +30000 +45000 +rejoin/)
        // What follows from it is told as well: the heartbeat is a third of the session.
        assert.match(changed.out, /heartbeat_interval_ms +10000 +15000 +rejoin/)
        assert.match((yield* weft("config set geo max_poll_records=500")).out, /the row says so already/)
        yield* weft("config unset geo max_poll_records")
        assert.strictEqual(yield* value("geo", "max_poll_records"), "100")
      })
    ))

  it.live("--dry-run writes nothing and shows what each member would do", () =>
    withTables((url) =>
      Effect.gen(function*() {
        yield* weft("config set geo max_poll_records=10")
        yield* member(url, "geo")
        const { code, out } = yield* weft(
          "config set geo max_poll_records=500 concurrency=8 session_timeout_ms=45000 consumer_group_id=other --dry-run"
        )
        assert.strictEqual(code, 0)
        assert.match(out, /^would change geo; nothing was written\n/)
        assert.match(
          out,
          /m1 .*in place: max_poll_records, concurrency, queue_max_records; by draining, committing and rejoining: session_timeout_ms.*; with its next start: consumer_group_id/
        )
        assert.strictEqual(yield* value("geo", "max_poll_records"), "10")
        const explained = yield* weft("config explain geo")
        assert.match(explained.out, /m1 +1 +.*the settings above/)
        yield* weft("config set geo max_poll_records=20")
        assert.match((yield* weft("config explain geo")).out, /max_poll_records=10 \(row\)/)
      }).pipe(Effect.scoped)
    ))

  it.live("what would be refused is not written, unless it is forced", () =>
    withTables(() =>
      Effect.gen(function*() {
        const refused = yield* weft("config set geo max_poll_records=9999 heartbeat_interval_ms=1000")
        assert.deepStrictEqual([refused.code, refused.out], [5, ""])
        assert.include(refused.err, "max_poll_records")
        assert.include(refused.err, "more than 5000")
        assert.strictEqual(yield* value("geo", "max_poll_records"), "exit 3")
        const dry = yield* weft("config set geo max_poll_records=9999 --dry-run")
        assert.strictEqual(dry.code, 6)
        const forced = yield* weft("config set geo max_poll_records=9999 --force")
        assert.strictEqual(forced.code, 0)
        assert.strictEqual(yield* value("geo", "max_poll_records"), "100")
        assert.strictEqual((yield* weft("config validate")).code, 6)
      })
    ))

  it.live("a wrong use says what is wrong", () =>
    withTables(() =>
      Effect.gen(function*() {
        const unknown = yield* weft("config set geo max_pol_records=5")
        assert.strictEqual(unknown.code, 2)
        assert.include(unknown.err, "did you mean max_poll_records")
        assert.strictEqual((yield* weft("config set geo max_poll_records")).code, 2)
        assert.strictEqual((yield* weft("config set geo")).code, 2)
        assert.strictEqual((yield* weft("config unset geo max_poll_records")).code, 3)
        assert.strictEqual((yield* weft("config remove geo")).code, 3)
        assert.strictEqual((yield* weft("config history geo")).code, 3)
        assert.strictEqual((yield* weft("config revert geo 1")).code, 3)
      })
    ))

  it.live("names and values are data, whatever they hold", () =>
    withTables(() =>
      Effect.gen(function*() {
        const name = "'; DROP TABLE pipeline_consumer_configs; --"
        const text = "\"quoted\"; $1 = 'x' \\ %"
        const made = yield* weft(["config", "set", name, `description=${text}`, "--reason", text, "--actor", text])
        assert.strictEqual(made.code, 0, made.err)
        const [revision] = (yield* Effect.map(weft(["config", "history", name, "--json"]), ({ out }) =>
          JSON.parse(out))) as [
            { readonly changedBy: string; readonly reason: string; readonly newRow: { readonly description: string } }
          ]
        assert.deepStrictEqual([revision.changedBy, revision.reason, revision.newRow.description], [text, text, text])
      })
    ))
})

describe("weft config history and revert", () => {
  it.live("who changed what, when and why; and the way back", () =>
    withTables(() =>
      Effect.gen(function*() {
        yield* weft("config set geo max_poll_records=10 --actor ana")
        yield* weft([
          "config",
          "set",
          "geo",
          "max_poll_records=500",
          "--actor",
          "ben",
          "--reason",
          "lag after the import"
        ])
        const { out } = yield* weft("config history geo")
        assert.match(out, /^revision 2 {2}changed \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ by ben: lag after the import\n/)
        assert.include(out, "max_poll_records  10 -> 500")
        assert.include(out, "max_poll_records  left out -> 10")
        const dry = yield* weft("config revert geo 1 --dry-run")
        assert.match(dry.out, /max_poll_records +500 +10 +hot/)
        assert.strictEqual(yield* value("geo", "max_poll_records"), "500")
        assert.match((yield* weft("config revert geo 1")).out, /^changed geo, revision 3\n/)
        assert.strictEqual(yield* value("geo", "max_poll_records"), "10")
        assert.strictEqual((yield* weft("config revert geo 99")).code, 3)
        const [newest] = (yield* json("config history geo --limit 1")) as [{ readonly reason: string }]
        assert.strictEqual(newest.reason, "back to revision 1")
        yield* weft("config remove geo")
        assert.strictEqual(yield* value("geo", "max_poll_records"), "exit 3")
        for (const limit of ["0", "-3", "3000000000"]) {
          const none = yield* weft(`config history geo --limit ${limit}`)
          assert.deepStrictEqual([none.code, none.out], [2, ""])
          assert.include(none.err, `--limit is a number from 1 to 1000000, not ${limit}`)
        }
        // What was removed has a history, and comes back.
        assert.include((yield* weft("config history geo")).out, "removed")
        assert.strictEqual((yield* weft("config revert geo 3")).code, 0)
        assert.strictEqual(yield* value("geo", "max_poll_records"), "10")
      })
    ))
})

describe("weft config export and import", () => {
  it.live("what is exported is imported as it was, as YAML and as JSON", () =>
    withTables((url) =>
      Effect.gen(function*() {
        yield* weft("config set geo max_poll_records=10 consumer_group_id=loom-geo profile=gpu")
        yield* weft(["config", "set", "vad", "description=one: two # three", "isolation_level=read_uncommitted"])
        const yaml = (yield* weft("config export")).out
        const asJson = (yield* weft("config export --json")).out
        assert.match(yaml, /^services:\n {2}geo:\n/)
        for (const text of [yaml, asJson]) {
          const other = yield* Effect.promise(freshDatabase)
          yield* Effect.gen(function*() {
            yield* weft("migrate")
            const imported = yield* weft(["config", "import", yield* file(text)])
            assert.strictEqual(imported.code, 0, imported.err)
            assert.strictEqual((yield* weft("config export")).out, yaml)
          }).pipe(Effect.provide(database(other)))
        }
        assert.include((yield* weft("config export vad")).out, "read_uncommitted")
        assert.strictEqual((yield* weft("config export vadd")).code, 3)
        assert.notStrictEqual(url, "")
      }).pipe(Effect.scoped)
    ))

  it.live("is all or nothing; --replace leaves out what the file leaves out", () =>
    withTables(() =>
      Effect.gen(function*() {
        yield* weft("config set geo max_poll_records=10 retry_backoff_ms=700")
        const bad = yield* file("services:\n  geo:\n    max_poll_records: 20\n  new:\n    max_poll_records: 9999\n")
        const refused = yield* weft(["config", "import", bad])
        assert.deepStrictEqual([refused.code, refused.out], [5, ""])
        assert.strictEqual(yield* value("geo", "max_poll_records"), "10")
        assert.strictEqual(yield* value("new", "max_poll_records"), "exit 3")
        const good = yield* file("services:\n  geo:\n    max_poll_records: 20\n")
        yield* weft(["config", "import", good, "--dry-run"])
        assert.strictEqual(yield* value("geo", "max_poll_records"), "10")
        yield* weft(["config", "import", good])
        assert.strictEqual(yield* value("geo", "retry_backoff_ms"), "700")
        yield* weft(["config", "import", good, "--replace"])
        assert.strictEqual(yield* value("geo", "retry_backoff_ms"), "100")
        assert.strictEqual(yield* value("geo", "max_poll_records"), "20")
        assert.strictEqual((yield* weft(["config", "import", yield* file("services: 3")])).code, 2)
      }).pipe(Effect.scoped)
    ))
})

describe("weft config profiles and rules", () => {
  it.live("a team's own profile, named by a row or by a rule", () =>
    withTables(() =>
      Effect.gen(function*() {
        yield* weft("config set night max_partition_fetch_bytes=2000000")
        assert.strictEqual((yield* weft("config profiles set nightly max_poll_records=2000 description=jobs")).code, 0)
        assert.match((yield* weft("config profiles")).out, /nightly {2}\(yours\) jobs\n {2}max_poll_records=2000/)
        const rule = yield* weft("config rules set %-night nightlyy")
        assert.deepStrictEqual([rule.code, rule.err.includes("did you mean nightly?")], [3, true])
        yield* weft("config rules set nig% nightly")
        assert.match((yield* weft("config rules")).out, /nig% +nightly +0/)
        assert.strictEqual(yield* value("night", "max_poll_records"), "2000")
        yield* weft("config set night profile=high-volume")
        assert.strictEqual(yield* value("night", "max_poll_records"), "500")
        assert.strictEqual((yield* weft("config rules remove nope")).code, 3)
        assert.strictEqual((yield* weft("config rules remove nig%")).code, 0)
        yield* weft("config profiles set gpu max_poll_records=2")
        assert.include((yield* weft("config profiles")).out, "gpu  (changed here)")
        // The built-in one holds again.
        assert.notInclude((yield* weft("config profiles remove gpu")).out, "(changed here)")
        assert.strictEqual((yield* weft("config profiles remove gpuu")).code, 3)
        assert.strictEqual((yield* weft("config profiles remove nightly")).code, 0)
        assert.strictEqual((yield* weft("config profiles set bad max_poll_records=0")).code, 5)
      })
    ))
})
