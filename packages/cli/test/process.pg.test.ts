/** The command as a program of its own, as a shell starts it. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { freshDatabase } from "../../../test-support/servers.ts"
import { run, timeout } from "./support/process.ts"

describe("the program weft", { timeout }, () => {
  it("migrates, and answers on standard output with 0", async () => {
    const env = { DATABASE_URL: await freshDatabase() }
    const before = await run(["config", "list"], env)
    assert.deepStrictEqual([before.code, before.out], [4, ""])
    assert.include(before.err, "weft migrate")
    const first = await run(["migrate"], env)
    assert.deepStrictEqual([first.code, first.err], [0, ""])
    assert.include(first.out, "0038_add_consumer_configurations.sql")
    assert.deepStrictEqual(await run(["migrate"], env), { code: 0, out: "nothing to do\n", err: "" })
    assert.deepStrictEqual(await run(["config", "list", "--json"], env), { code: 0, out: "[]\n", err: "" })
  })

  it("has no colours where the output is no terminal", async () => {
    const { out } = await run(["--help"], {})
    assert.notInclude(out, "\u001b")
    const coloured = await run(["--help"], { FORCE_COLOR: "1" })
    assert.include(coloured.out, "\u001b[1m")
    assert.notInclude((await run(["--help"], { FORCE_COLOR: "1", NO_COLOR: "1" })).out, "\u001b")
  })

  it("without DATABASE_URL, or with one that cannot be, ends with 2 and never shows a password", async () => {
    const missing = await run(["config", "list"], {})
    assert.deepStrictEqual([missing.code, missing.out], [2, ""])
    assert.include(missing.err, "DATABASE_URL is not set")
    const bad = await run(["config", "list", "--log-level", "debug"], {
      DATABASE_URL: "mysql://weft:s3cret@localhost/weft"
    })
    assert.strictEqual(bad.code, 2)
    assert.notInclude(bad.err + bad.out, "s3cret")
  })

  it("with a database, or a Kafka, that is away, ends with 4", async () => {
    const database = await run(["config", "list"], { DATABASE_URL: "postgres://weft:s3cret@127.0.0.1:1/weft" })
    assert.deepStrictEqual([database.code, database.out], [4, ""])
    assert.notInclude(database.err, "s3cret")
    const kafka = await run(["topics", "list"], { KAFKA_BROKERS: "127.0.0.1:1" })
    assert.deepStrictEqual([kafka.code, kafka.out], [4, ""])
    assert.include(kafka.err, "KAFKA_BROKERS")
  })

  it("gives completions that a shell accepts", async () => {
    const { out } = await run(["--completions", "bash"], {})
    const { status, stderr, stdout } = spawnSync("bash", ["--norc", "-c", `${out}\ncomplete -p weft`], {
      encoding: "utf8"
    })
    assert.deepStrictEqual([status, stderr], [0, ""])
    assert.include(stdout, "weft")
  })

  it("stays silent when nobody reads on", () => {
    const { status, stderr } = spawnSync("bash", [
      "-c",
      `"${process.execPath}" packages/cli/src/main.ts --help | head -1`
    ], {
      encoding: "utf8"
    })
    assert.deepStrictEqual([status, stderr], [0, ""])
  })
})
