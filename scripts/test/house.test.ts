import { existsSync, readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { publishedManifest } from "../packaging/publishedManifest.ts"

const root = new URL("../../", import.meta.url)
const read = (path: string) =>
  JSON.parse(readFileSync(new URL(path, root), "utf8")) as Readonly<Record<string, unknown>>
const packages = readdirSync(new URL("packages/", root))

interface Project {
  readonly references: ReadonlyArray<{ readonly path: string }>
}

describe.each(packages)("packages/%s", (name) => {
  const manifest = read(`packages/${name}/package.json`) as unknown as {
    readonly name: string
    readonly version: string
    readonly exports: Readonly<Record<string, string | null>>
    readonly dependencies: Readonly<Record<string, string>>
  }

  it("keeps its internal modules to itself", () => {
    expect(manifest.exports["./internal/*"]).toBe(null)
  })

  it("has a README", () => {
    expect(existsSync(new URL(`packages/${name}/README.md`, root))).toBe(true)
  })

  it("is type checked, after the packages that it names", () => {
    const project = `packages/${name}/tsconfig.src.json`
    for (const file of ["tsconfig.json", "tsconfig.programs.json"]) {
      expect((read(file) as unknown as Project).references).toContainEqual({ path: project })
    }
    const named = Object.keys(manifest.dependencies).filter((dependency) => dependency.startsWith("@weft/"))
    const { references } = read(project) as unknown as Project
    const built = references.map(({ path }) => path)
    expect(named.filter((dependency) => !built.includes(`../${dependency.slice("@weft/".length)}/tsconfig.src.json`)))
      .toEqual([])
  })

  it("has the version of the repository, and names the others by it", () => {
    expect(manifest.version).toBe(read("package.json")["version"])
    const others = Object.entries(manifest.dependencies).filter(([dependency]) => dependency.startsWith("@weft/"))
    expect(others.filter(([, version]) => version !== manifest.version)).toEqual([])
  })
})

describe("a published package.json", () => {
  it("exports what was compiled, with its types, and still hides internal modules", () => {
    const exports = {
      ".": "./src/index.ts",
      "./*": "./src/*.ts",
      "./internal/*": null,
      "./package.json": "./package.json"
    }
    expect(publishedManifest({ name: "@weft/x", version: "1.0.0", exports, bin: { x: "./src/bin.ts" } })).toMatchObject(
      {
        exports: {
          ".": { types: "./index.d.ts", default: "./index.js" },
          "./*": { types: "./*.d.ts", default: "./*.js" },
          "./internal/*": null,
          "./package.json": "./package.json"
        },
        bin: { x: "./bin.js" }
      }
    )
  })
})

describe("package-lock.json", () => {
  const lock = read("package-lock.json") as unknown as {
    readonly packages: Readonly<
      Record<string, {
        readonly resolved?: string
        readonly optionalDependencies?: Readonly<Record<string, string>>
      }>
    >
  }

  it("names the binaries of every platform, as npm forgets to when it writes the file beside an installed tree", () => {
    const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies }]) =>
      Object.keys(optionalDependencies ?? {}).filter((name) =>
        lock.packages[`node_modules/${name}`] === undefined &&
        lock.packages[`${path}/node_modules/${name}`] === undefined
      )
    )
    expect(missing).toEqual([])
  })

  it("names no registry, so that everyone's own is used", () => {
    const urls = Object.values(lock.packages).map(({ resolved }) => resolved).filter((url) => url?.includes("://"))
    expect(urls).toEqual([])
  })
})
