import { assert, describe, it } from "@effect/vitest"
import type * as ConfigIssue from "@weft/config/ConfigIssue"
import type { RowResult } from "@weft/config/ConfigRow"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as LastKnownGood from "@weft/config/LastKnownGood"
import * as LastKnownGoodFiles from "@weft/config/LastKnownGoodFiles"
import type * as Resolution from "@weft/config/Resolution"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { stateFolder } from "../src/internal/stateFolder.ts"

const away = (service = "svc"): RowResult => ({
  _tag: "NoRow",
  reason: { _tag: "DatabaseUnreachable", service, detail: "ECONNREFUSED" }
})
const missing: RowResult = { _tag: "NoRow", reason: { _tag: "MissingRow", service: "svc" } }
const row: RowResult = {
  _tag: "Row",
  columns: {
    service_name: "svc",
    max_poll_records: 7,
    session_timeout_ms: null,
    fetch_min_bytes: "no",
    workload_profile: "own",
    description: "not kept"
  },
  table: { rule: { pattern: "s%", profile: "gpu" }, profiles: { own: { name: "own", retry_backoff_ms: 500 } } },
  revision: 4
}

/** What one process after another makes of the answers of a database, on the same files. */
const lives = Effect.fnUntraced(function*(answers: ReadonlyArray<RowResult>, store = "host:5432/db", service = "svc") {
  const kept = yield* LastKnownGood.LastKnownGood
  const left = [...answers]
  const source: ConfigStore.RowSource = {
    read: () => Effect.sync(() => left.shift() ?? away()),
    signals: () => Stream.empty
  }
  const { load } = ConfigStore.make(LastKnownGood.remember(source, kept, store))
  const seen: Array<Resolution.Resolved> = []
  for (const _ of answers) seen.push(yield* load(service))
  return seen.at(-1)!
})

const tags = (issues: ReadonlyArray<ConfigIssue.ConfigIssue>) => issues.map(({ _tag }) => _tag)

const temporary = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "weft-state-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
)

/** Collects what is logged at the level Warn while an effect runs. */
const warnings = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn") lines.push(String(message))
  })
  return Effect.map(Effect.provide(effect, Logger.layer([logger])), (answer) => ({ answer, lines }))
}

describe("LastKnownGood: what is remembered", () => {
  const remembering = Effect.provide(LastKnownGood.layerMemory)

  it.effect("8 configuration: a start during an outage has the row of the process before, and says so", () =>
    Effect.gen(function*() {
      const before = yield* lives([row])
      const after = yield* lives([away()])
      assert.deepStrictEqual(after.config, before.config)
      assert.deepInclude(after.provenance.maxPollRecords, { value: 7, source: "lastKnownGood" })
      assert.deepInclude(after.provenance.retryBackoffMs, { value: 500, source: "lastKnownGood" })
      assert.deepInclude(after, { profile: "own", profileSource: "row", revision: 4 })
      assert.deepStrictEqual(tags(after.issues), ["DatabaseUnreachable", "LastKnownGood", "BadValue"])
    }).pipe(remembering))

  it.effect("once the database has answered, an outage leaves that row in force", () =>
    Effect.gen(function*() {
      yield* lives([row])
      const after = yield* lives([away(), { ...row, columns: { max_poll_records: 8 } }, away()])
      assert.deepInclude(after.provenance.maxPollRecords, { value: 8, source: "row" })
      assert.deepStrictEqual(tags(after.issues), ["DatabaseUnreachable"])
    }).pipe(remembering))

  it.effect("a row that was deleted does not come back", () =>
    Effect.gen(function*() {
      yield* lives([row])
      yield* lives([missing])
      const after = yield* lives([away()])
      assert.deepInclude(after.provenance.maxPollRecords, { value: 100, source: "default" })
    }).pipe(remembering))

  it.effect("another service, and another database, have none of it", () =>
    Effect.gen(function*() {
      yield* lives([row])
      assert.deepStrictEqual(tags((yield* lives([away()], "host:5432/db", "other")).issues), ["DatabaseUnreachable"])
      assert.deepStrictEqual(tags((yield* lives([away()], "host:5432/staging")).issues), ["DatabaseUnreachable"])
    }).pipe(remembering))

  it.effect("it is written when it changes, and not each time it is read", () =>
    Effect.gen(function*() {
      let writes = 0
      const counted = Layer.succeed(LastKnownGood.LastKnownGood, {
        read: () => Effect.succeedNone,
        write: () => Effect.sync(() => void writes++)
      })
      const changed = { ...row, columns: { ...row.columns, max_poll_records: 8 } }
      const renamed = { ...changed, columns: { ...changed.columns, description: "another" } }
      yield* lives([row, row, row, changed, renamed, away(), changed]).pipe(Effect.provide(counted))
      assert.strictEqual(writes, 2)
    }))
})

describe("LastKnownGoodFiles", () => {
  const inFolder = <A, E, R>(f: (folder: string) => Effect.Effect<A, E, R>) =>
    Effect.flatMap(temporary, (folder) => f(join(folder, "a", "b"))).pipe(Effect.scoped)
  const on = (folder: string) => Effect.provide(Layer.fresh(LastKnownGoodFiles.layerFolder(folder)))
  const fileIn = (folder: string) =>
    Effect.promise(() =>
      readdir(folder).then(([file, ...rest]) => {
        assert.deepStrictEqual(rest, [])
        return join(folder, file!)
      })
    )

  it.live("a row survives in a file, whole and alone, for its owner only", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        yield* lives([row]).pipe(on(folder))
        const file = yield* fileIn(folder)
        const { mode } = yield* Effect.promise(() => stat(file))
        assert.strictEqual(mode & 0o077, 0)
        const { answer, lines } = yield* warnings(lives([away()]).pipe(on(folder)))
        assert.deepInclude(answer.provenance.maxPollRecords, { value: 7, source: "lastKnownGood" })
        assert.notInclude(lines.join("\n"), "ignored")
        yield* lives([{ ...row, columns: { max_poll_records: 8 } }]).pipe(on(folder))
        assert.strictEqual(yield* fileIn(folder), file)
        const again = yield* lives([away()]).pipe(on(folder))
        assert.strictEqual(again.config.maxPollRecords, 8)
      })
    ))

  it.live.each(
    [
      ["cut short", (text: string) => text.slice(0, -20)],
      ["empty", () => ""],
      ["altered", (text: string) => text.replace("7", "9")],
      ["without its first line", (text: string) => text.slice(text.indexOf("\n") + 1)],
      ["of zeros", (text: string) => "\u0000".repeat(text.length)],
      ["too large", (text: string) => text + " ".repeat(5_000_000)]
    ] as const
  )(
    "a file that is %s is ignored with a warning, and written anew",
    ([_, damage]) =>
      inFolder((folder) =>
        Effect.gen(function*() {
          yield* lives([row]).pipe(on(folder))
          const file = yield* fileIn(folder)
          yield* Effect.promise(() => readFile(file, "utf8").then((text) => writeFile(file, damage(text))))
          const { answer, lines } = yield* warnings(lives([away(), away()]).pipe(on(folder)))
          assert.deepStrictEqual(tags(answer.issues), ["DatabaseUnreachable"])
          assert.deepInclude(answer.provenance.maxPollRecords, { value: 100, source: "default" })
          assert.strictEqual(lines.filter((line) => line.includes("is ignored")).length, 1)
          yield* lives([row]).pipe(on(folder))
          assert.strictEqual((yield* lives([away()]).pipe(on(folder))).config.maxPollRecords, 7)
        })
      )
  )

  it.live("a file that was put in the place of another service's is ignored", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        yield* lives([row]).pipe(on(folder))
        const mine = yield* fileIn(folder)
        yield* lives([row], "host:5432/db", "other").pipe(on(folder))
        const files = yield* Effect.promise(() => readdir(folder))
        const theirs = files.map((file) => join(folder, file)).find((file) => file !== mine)!
        yield* Effect.promise(() => readFile(mine).then((bytes) => writeFile(theirs, bytes)))
        const { answer, lines } = yield* warnings(
          lives([away("other")], "host:5432/db", "other").pipe(on(folder))
        )
        assert.deepStrictEqual(tags(answer.issues), ["DatabaseUnreachable"])
        assert.isTrue(lines.some((line) => line.endsWith("it is of another service")))
      })
    ))

  it.live("a folder that cannot be made or written to is a warning, once", () =>
    Effect.scoped(Effect.gen(function*() {
      const folder = yield* temporary
      yield* Effect.promise(() => writeFile(join(folder, "file"), "").then(() => chmod(folder, 0o500)))
      const changed = { ...row, columns: { max_poll_records: 8 } }
      const { answer, lines } = yield* warnings(
        lives([row, changed]).pipe(on(join(folder, "file", "state")))
      )
      assert.strictEqual(answer.config.maxPollRecords, 8)
      assert.strictEqual(lines.filter((line) => line.includes("cannot be kept")).length, 1)
    })))

  it.live("services of any name have a file", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        const names = ["../../etc/passwd", "a/b", "CON", "x".repeat(10_000), "\u{1f600}", "", "a\u0000b"]
        for (const name of names) yield* lives([row], "db", name).pipe(on(folder))
        const files = yield* Effect.promise(() => readdir(folder))
        assert.strictEqual(files.length, names.length)
        for (const name of names) {
          const again = yield* lives([away(name)], "db", name).pipe(on(folder))
          assert.strictEqual(again.config.maxPollRecords, 7, JSON.stringify(name.slice(0, 20)))
        }
      })
    ))

  it.live("WEFT_STATE_DIR names the folder", () =>
    inFolder((folder) =>
      Effect.gen(function*() {
        yield* lives([row]).pipe(
          Effect.provide(Layer.provide(
            LastKnownGoodFiles.layer,
            ConfigProvider.layer(ConfigProvider.fromEnv({ env: { WEFT_STATE_DIR: folder } }))
          ))
        )
        assert.isDefined(yield* fileIn(folder))
      })
    ))

  it.each([
    ["linux", {}, "/home/me/.local/state/weft"],
    ["linux", { XDG_STATE_HOME: "/state" }, "/state/weft"],
    ["linux", { XDG_STATE_HOME: "relative" }, "/home/me/.local/state/weft"],
    ["darwin", {}, "/home/me/Library/Application Support/weft"],
    ["win32", { LOCALAPPDATA: "C:\\Users\\me\\AppData\\Local" }, "C:\\Users\\me\\AppData\\Local\\weft"],
    ["win32", {}, "\\home\\me\\AppData\\Local\\weft"],
    ["linux", { WEFT_STATE_DIR: "/mine" }, "/mine"]
  ])("the folder on %s with %o is %s", (platform, variables: Record<string, string>, expected) => {
    const folder = stateFolder({ platform, home: "/home/me", variable: (name) => variables[name] })
    assert.strictEqual(folder, expected)
  })
})
