/** What others compile against: no type of Effect, nor of a package that shows one, is in a public declaration. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"

const packageFolder = fileURLToPath(new URL("..", import.meta.url))
const tsc = fileURLToPath(new URL("../../../node_modules/.bin/tsc", import.meta.url))

describe("the declarations", () => {
  it("of public modules import nothing but each other and Node", () => {
    const out = mkdtempSync(join(tmpdir(), "weft-promise-"))
    try {
      const { status, stdout } = spawnSync(
        process.execPath,
        [
          tsc,
          "-p",
          "tsconfig.src.json",
          "--emitDeclarationOnly",
          "--outDir",
          out,
          "--tsBuildInfoFile",
          join(out, "info")
        ],
        { cwd: packageFolder, encoding: "utf8" }
      )
      assert.strictEqual(status, 0, stdout)
      const files = readdirSync(out).filter((name) => name.endsWith(".d.ts"))
      const sources = readdirSync(join(packageFolder, "src")).filter((name) => name.endsWith(".ts"))
      assert.deepStrictEqual(files.map((name) => name.replace(".d.ts", ".ts")).sort(), sources.sort())
      const imports = files.flatMap((file) => {
        const text = readFileSync(join(out, file), "utf8")
        return [...text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map((match) => `${file}: ${match[1]!}`)
      })
      assert.isAbove(imports.length, 10)
      assert.deepStrictEqual(
        imports.filter((line) => !/: (?:\.\/[A-Za-z]+(?:\.ts|\.js)?|node:[a-z_]+)$/.test(line)),
        []
      )
    } finally {
      rmSync(out, { recursive: true, force: true })
    }
  }, 600_000)
})
