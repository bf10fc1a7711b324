import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Weft from "@weft/cli/Weft"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { helpMarkdown } from "../src/internal/helpMarkdown.ts"
import { memory, weft } from "./support/weft.ts"

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")

describe("docs/cli.md", () => {
  it.effect("is what the command's help says now (else: node packages/cli/bin/cli-doc.ts)", () =>
    Effect.gen(function*() {
      assert.strictEqual(read("../../../docs/cli.md"), helpMarkdown(yield* Weft.helpDocs))
    }).pipe(Effect.provide(NodeServices.layer)))
})

describe("help", () => {
  it.effect("every command that does something has a description, and an example that begins with its own name", () =>
    Effect.gen(function*() {
      const docs = yield* Weft.helpDocs
      assert.isAbove(docs.length, 8)
      for (const doc of docs) {
        const path = (doc.commandPath ?? []).join(" ")
        assert.isAbove(doc.description.length, 10, path)
        if (doc.subcommands === undefined || doc.subcommands.length === 0) {
          const examples = doc.examples ?? []
          assert.isNotEmpty(examples, path)
          for (const { command } of examples) assert.isTrue(command.startsWith(path), `${path}: ${command}`)
        }
        for (const { description, name } of doc.flags) assert.strictEqual(description._tag, "Some", `${path} --${name}`)
      }
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("comes for --help, for help before a command, and for a command that needs another one", () =>
    Effect.gen(function*() {
      const asked = yield* weft("groups reset --help")
      assert.deepStrictEqual(yield* weft("help groups reset"), asked)
      assert.include(asked.out, "weft groups reset [flags] GROUP")
      const bare = yield* weft("")
      assert.strictEqual(bare.code, 0)
      assert.include(bare.out, "weft migrate")
    }).pipe(Effect.provide(memory())))

  it.effect("a wrong command line says what is wrong on standard error, and ends with 2", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* weft("topcis list"), {
        code: 2,
        out: "",
        err:
          "error: Unknown subcommand \"topcis\" for \"weft\"\n  did you mean topics?\n  next: weft --help shows how it is used"
      })
      const { code, err, out } = yield* weft("topics list --jsno --json")
      assert.deepStrictEqual([code, out], [2, ""])
      assert.deepStrictEqual(JSON.parse(err), {
        error: {
          kind: "Usage",
          message: "Unrecognized flag: --jsno in command weft topics list",
          near: ["--json"],
          next: "weft topics list --help shows how it is used"
        },
        exitCode: 2
      })
    }).pipe(Effect.provide(memory())))

  it.effect("says the version of the package", () =>
    Effect.gen(function*() {
      const { version } = JSON.parse(read("../package.json")) as { readonly version: string }
      assert.strictEqual((yield* weft("--version")).out, `weft ${version}`)
      assert.deepStrictEqual(JSON.parse((yield* weft("--version --json")).out), { version })
    }).pipe(Effect.provide(memory())))

  it.effect("completions know the commands", () =>
    Effect.gen(function*() {
      for (const shell of ["bash", "zsh", "fish"]) {
        const { code, out } = yield* weft(`--completions ${shell}`)
        assert.strictEqual(code, 0)
        assert.include(out, "migrate")
      }
    }).pipe(Effect.provide(memory())))
})
