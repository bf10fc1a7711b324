/** What the documentation says exists, exists; what it shows as a program, compiles. */
import { spawnSync } from "node:child_process"
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("../../", import.meta.url))
const read = (file: string) => readFileSync(join(root, file), "utf8")
const pages = globSync(
  ["*.md", "docs/**/*.md", "packages/*/README.md", "examples/*/README.md", "bench/README.md"],
  { cwd: root }
).sort()

const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1]!)

describe.each(pages)("%s", (page) => {
  it("links only to what exists", () => {
    const links = matches(read(page), /\]\(([^)\s]+)\)/g).filter((link) => !/^[a-z]+:|^#/.test(link))
    const broken = links.filter((link) => !existsSync(join(root, dirname(page), link.split("#")[0]!)))
    expect(broken).toEqual([])
  })
})

describe("docs/internals.md", () => {
  const map = read("docs/internals.md")

  it("names only files and folders that exist", () => {
    const paths = matches(map, /`((?:packages|examples|bench|scripts|migrations|test-support|docs)\/[^`\s]*)`/g)
    expect(paths.length).toBeGreaterThan(20)
    expect(paths.filter((path) => globSync(path, { cwd: root }).length === 0)).toEqual([])
  })

  it("names every package and every example", () => {
    const folders = globSync(["packages/*/package.json", "examples/*/package.json"], { cwd: root }).map(dirname)
    expect(folders.filter((folder) => !map.includes(`\`${folder}/`))).toEqual([])
  })
})

describe("the programs of the documentation", () => {
  it("compile", () => {
    const folder = join(root, "node_modules/.cache/docs")
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
    for (const page of pages) {
      // What imports nothing is an excerpt, which cannot stand alone. What a reader has of their own is given in a comment.
      const programs = [...read(page).matchAll(/^(?:<!-- given\n(.*?)^-->\n+)?```ts\n(.*?)^```/gms)]
        .filter(([, , code]) => /^import /m.test(code!))
        .map(([, given = "", code]) => given + code)
      programs.forEach((code, i) => {
        writeFileSync(join(folder, `${page.replaceAll(/[/.]/g, "-")}-${i + 1}.ts`), code)
      })
    }
    const options = { noUnusedLocals: false, incremental: false, tsBuildInfoFile: null }
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: relative(folder, join(root, "tsconfig.programs.json")),
        compilerOptions: options,
        include: ["*.ts"],
        exclude: [],
        references: []
      })
    )
    const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { cwd: folder, encoding: "utf8" })
    expect(stdout).toBe("")
  }, 240_000)
})
