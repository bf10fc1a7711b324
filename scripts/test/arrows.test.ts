import { execFile } from "node:child_process"
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** A house with one package per name, whose files are the given ones; by path, as in the repository. */
const build = async (house: string, files: Readonly<Record<string, string>>) => {
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(house, path)), { recursive: true })
    await writeFile(join(house, path), text)
  }
  await mkdir(join(house, "node_modules/@weft"), { recursive: true })
  await Promise.all(
    ["effect", "kafkajs", "vitest"].map((name) =>
      symlink(join(root, "node_modules", name), join(house, "node_modules", name))
    )
  )
  const names = new Set(Object.keys(files).map((path) => path.split("/")[1]!))
  for (const name of names) {
    const exports = { "./*": "./src/*.ts", "./internal/*": null }
    const dependencies = { effect: "*", ...(name === "kafkajs" && { kafkajs: "*" }) }
    await write(
      `packages/${name}/package.json`,
      JSON.stringify({ name: `@weft/${name}`, type: "module", exports, dependencies })
    )
    await symlink(join(house, "packages", name), join(house, "node_modules/@weft", name))
  }
  await write(
    "package.json",
    JSON.stringify({ type: "module", workspaces: ["packages/*"], devDependencies: { vitest: "*" } })
  )
  await write("tsconfig.programs.json", JSON.stringify({ compilerOptions: { module: "NodeNext" } }))
  for (const [path, text] of Object.entries(files)) await write(path, text)
}

/** Each violation as "rule: file". */
const violations = (house: string) =>
  new Promise<ReadonlyArray<string>>((resolve, reject) => {
    const options = [
      ["--import", join(root, "scripts/arrows/useOwnTypescript.mjs")],
      [join(root, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs")],
      ["--config", join(root, "scripts/arrows/rules.mjs"), "--output-type", "json", "packages"]
    ].flat()
    execFile(process.execPath, options, { cwd: house }, (_, stdout, stderr) => {
      try {
        const { summary } = JSON.parse(stdout) as {
          readonly summary: { readonly violations: ReadonlyArray<{ from: string; rule: { name: string } }> }
        }
        resolve(summary.violations.map(({ from, rule }) => `${rule.name}: ${from}`).sort())
      } catch {
        reject(new Error(stderr))
      }
    })
  })

const value = "export const a = 1\n"

describe("the arrows", () => {
  let house: string
  beforeAll(async () => {
    house = await mkdtemp(join(tmpdir(), "weft-house-"))
  })
  afterAll(() => rm(house, { recursive: true, force: true }))

  it("point down only, in values, in types and in dynamic imports", { timeout: 180_000 }, async () => {
    await build(house, {
      "packages/kafka/src/Offset.ts": value,
      "packages/kafka/src/Up.ts": "import { a } from \"@weft/config/Setting\"\nexport const b = a\n",
      "packages/kafka/src/UpInTypes.ts": "import type { A } from \"@weft/pipeline/Pipeline\"\nexport type B = A\n",
      "packages/kafka/src/UpInside.ts": "export type B = import(\"@weft/pipeline/Pipeline\").A\n",
      "packages/kafka/src/UpLater.ts": "export const b = () => import(\"@weft/config/Setting\")\n",
      "packages/kafka/src/NotEffect.ts": "import kafkajs from \"kafkajs\"\nexport const b = kafkajs\n",
      "packages/kafka/test/Offset.test.ts":
        "import \"@weft/testing/MemoryCluster\"\nimport \"vitest\"\nimport \"../src/Offset.ts\"\n",
      "packages/kafka/test/Up.test.ts": "import \"@weft/pipeline/Pipeline\"\n",
      "packages/config/src/Setting.ts": "import { a as b } from \"@weft/kafka/Offset\"\nexport const a = b\n",
      "packages/config/src/Around.ts": "import { a } from \"../../kafka/src/Offset.ts\"\nexport const b = a\n",
      "packages/config/src/Nowhere.ts": "export * from \"./Missing.ts\"\n",
      "packages/config/src/Private.ts": "import \"@weft/kafka/internal/offsetTracker\"\n",
      "packages/config/src/Library.ts": "import \"vitest\"\n",
      "packages/kafka/src/internal/offsetTracker.ts": value,
      "packages/pipeline/src/Pipeline.ts": "import { a } from \"@weft/kafka/Offset\"\nexport type A = typeof a\n",
      "packages/pipeline/src/Round.ts": "import type { T } from \"./Trip.ts\"\nexport type R = T\n",
      "packages/pipeline/src/Trip.ts": "import type { R } from \"./Round.ts\"\nexport type T = R | 1\n",
      "packages/testing/src/MemoryCluster.ts": "import { a } from \"@weft/kafka/Offset\"\nexport const b = a\n",
      "packages/newcomer/src/New.ts": "import { a } from \"@weft/kafka/Offset\"\nexport const b = a\n"
    })
    const found = await violations(house)
    expect(found).toEqual([
      "arrows: a package without a row: packages/newcomer/src/New.ts",
      "arrows: effect alone: packages/kafka/src/NotEffect.ts",
      "arrows: kafka's tests: packages/kafka/test/Up.test.ts",
      "arrows: kafka: packages/kafka/src/Up.ts",
      "arrows: kafka: packages/kafka/src/UpInTypes.ts",
      "arrows: kafka: packages/kafka/src/UpInside.ts",
      "arrows: kafka: packages/kafka/src/UpLater.ts",
      "arrows: no way around exports: packages/config/src/Around.ts",
      "every import can be resolved: packages/config/src/Nowhere.ts",
      "every import can be resolved: packages/config/src/Private.ts",
      "every library is named in the package.json: packages/kafka/src/NotEffect.ts",
      "no circle between files: packages/pipeline/src/Round.ts",
      "no development library in what is published: packages/config/src/Library.ts"
    ])
  })
})
