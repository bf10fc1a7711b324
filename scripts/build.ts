/** `npm run build`: compiles every package into its dist folder, which is then what `npm pack` packs and `npm publish` publishes. */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { type Package, path, publishedPackages, root } from "./packaging/packages.ts"
import { publishedManifest } from "./packaging/publishedManifest.ts"

const packages = publishedPackages()

/** Folders at the root of the repository that belong to what a package publishes. */
const brought: Readonly<Record<string, ReadonlyArray<string>>> = { "@weft/postgres": ["migrations"] }

const compile = () => {
  for (const { folder } of packages) rmSync(new URL("dist/", folder), { recursive: true, force: true })
  const projects = packages.map(({ folder }) => path(new URL("tsconfig.src.json", folder)))
  const { status } = spawnSync("tsc", ["-b", ...projects], { cwd: path(root), stdio: "inherit" })
  if (status !== 0) process.exit(1)
}

/** Source maps name ../src/X.ts, as seen from dist; the sources travel along, one level nearer. */
const bringSources = ({ folder }: Package) => {
  cpSync(new URL("src/", folder), new URL("dist/src/", folder), { recursive: true })
  for (const file of globSync("**/*.map", { cwd: path(new URL("dist/", folder)) })) {
    const url = new URL(`dist/${file}`, folder)
    const map = JSON.parse(readFileSync(url, "utf8")) as { sources: Array<string> }
    map.sources = map.sources.map((source) => source.replace(/^\.\.\//, ""))
    writeFileSync(url, JSON.stringify(map))
  }
}

const complete = ({ folder, manifest }: Package) => {
  const dist = (file: string) => new URL(`dist/${file}`, folder)
  const folders = brought[manifest.name] ?? []
  for (const name of folders) cpSync(new URL(name, root), dist(name), { recursive: true })
  writeFileSync(dist("package.json"), JSON.stringify(publishedManifest(manifest, folders), null, 2) + "\n")
  cpSync(new URL("LICENSE", root), dist("LICENSE"))
  const readme = new URL("README.md", folder)
  if (!existsSync(readme)) throw new Error(`${manifest.name} has no README.md`)
  cpSync(readme, dist("README.md"))
}

compile()
for (const one of packages) {
  bringSources(one)
  complete(one)
  console.log(`built ${one.manifest.name} ${one.manifest.version}: ${path(new URL("dist/", one.folder))}`)
}
