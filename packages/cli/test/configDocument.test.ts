import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as FastCheck from "fast-check"
import { parse, render } from "../src/internal/configDocument.ts"
import { memory, weft } from "./support/weft.ts"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"

const scalar = FastCheck.oneof(
  FastCheck.integer(),
  FastCheck.boolean(),
  FastCheck.constantFrom(
    "yes",
    "null",
    "1e3",
    "0x1F",
    "~",
    "- a",
    "a: b",
    "#c",
    "",
    " ",
    "2026-01-01",
    "12:30:45",
    "!!int 1"
  ),
  FastCheck.string({ unit: "grapheme" })
)
const name = FastCheck.string({ minLength: 1, unit: "grapheme" }).filter((text) => text !== "__proto__")

describe("configurations as a file", () => {
  it("what is rendered is read as it was, whatever the names and values", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.dictionary(name, FastCheck.dictionary(name, scalar, { maxKeys: 5, noNullPrototype: true }), {
        maxKeys: 5,
        noNullPrototype: true
      }),
      (services) => {
        const document = new Map(Object.entries(services))
        assert.isTrue(isDeepStrictEqual(Result.getOrThrow(parse(render(document))), document))
      }
    ))
  })

  it("reads as people write it", () => {
    assert.strictEqual(
      render(
        new Map<string, Record<string, unknown>>([["geo-coder", {
          consumer_group_id: "loom-geo",
          max_poll_records: 10,
          description: null
        }], ["x", {}]])
      ),
      "services:\n  geo-coder:\n    consumer_group_id: loom-geo\n    max_poll_records: 10\n  x: {}\n"
    )
    const written = "# ours\nservices:\n  geo:   # a comment\n    max_poll_records: 10\n  other:\n"
    assert.deepStrictEqual(
      Result.getOrThrow(parse(written)),
      new Map<string, Record<string, unknown>>([["geo", { max_poll_records: 10 }], ["other", {}]])
    )
  })

  it("says what is wrong", () => {
    for (const text of ["", "[]", "a: 1", "services: 3", "services:\n  geo: 3", "services: [", "\u0000"]) {
      assert.isTrue(Result.isFailure(parse(text)), text)
    }
  })
})

describe("weft config validate --file", () => {
  const folder = mkdtempSync(join(tmpdir(), "weft-cli-"))
  const file = (text: string): string => {
    const path = join(folder, "consumers.yaml")
    writeFileSync(path, text)
    return path
  }

  it.effect("needs no database", () =>
    Effect.gen(function*() {
      const good = yield* weft(["config", "validate", "--file", file("services:\n  geo:\n    max_poll_records: 10\n")])
      assert.deepStrictEqual([good.code, good.err], [0, ""])
      assert.match(good.out, /^1 configuration, all valid\nDATABASE_URL is not set/)
      const bad = yield* weft([
        "config",
        "validate",
        "-f",
        file("services:\n  geo:\n    max_poll_records: many\n    colour: red\n")
      ])
      assert.strictEqual(bad.code, 6)
      assert.include(bad.out, "max_poll_records \"many\" is not")
      assert.include(bad.out, "the column \"colour\" is no setting")
      // Set, and blank: that is no database either.
      const empty = yield* weft(["config", "validate", "-f", file("services:\n  geo:\n    max_poll_records: 10\n")])
        .pipe(
          Effect.provideService(
            ConfigProvider.ConfigProvider,
            ConfigProvider.fromEnv({ env: { DATABASE_URL: " " } })
          )
        )
      assert.deepStrictEqual([empty.code, empty.err], [0, ""])
      const both = yield* weft(["config", "validate", "other", "-f", file("services: {}")])
      assert.strictEqual(both.code, 2)
      assert.strictEqual((yield* weft(["config", "validate", "-f", file("services: 3")])).code, 2)
      assert.strictEqual((yield* weft(["config", "validate", "-f", join(folder, "none.yaml")])).code, 2)
    }).pipe(Effect.provide(memory()), Effect.ensuring(Effect.sync(() => rmSync(folder, { recursive: true })))))
})
