/**
 * `npm run pack:prove`: packs every package, installs the tarballs in a folder outside of the repository, and there consumes a record in
 * plain JavaScript and compiles against the declarations.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { path, publishedPackages, root } from "./packaging/packages.ts"

const folder = mkdtempSync(join(realpathSync(tmpdir()), "weft-packed-"))

const run = (command: string, args: ReadonlyArray<string>, cwd: string) => {
  const { status, stderr, stdout } = spawnSync(command, args, { cwd, encoding: "utf8" })
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}\n${stdout}${stderr}`)
  return stdout
}

const pack = (dist: URL): string => {
  const [packed] = Object.values(
    JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], path(dist))) as {
      readonly [key: string]: { readonly filename: string; readonly files: ReadonlyArray<{ readonly path: string }> }
    }
  )
  const files = packed!.files.map((file) => file.path)
  for (const needed of ["index.js", "index.d.ts", "package.json", "README.md", "LICENSE"]) {
    if (!files.includes(needed)) throw new Error(`${packed!.filename} has no ${needed}`)
  }
  return packed!.filename
}

try {
  run(process.execPath, [path(new URL("scripts/build.ts", root))], path(root))
  const packages = publishedPackages()
  const tarballs = packages.map((one) => [one.manifest.name, `file:${pack(new URL("dist/", one.folder))}`] as const)

  const { devDependencies } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as {
    readonly devDependencies: Readonly<Record<string, string>>
  }
  const pinned = (name: string) => [name, devDependencies[name]!] as const
  const dependencies = Object.fromEntries([...tarballs, pinned("effect"), pinned("typescript"), pinned("@types/node")])
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }))
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    module: "NodeNext",
    target: "ES2024",
    types: ["node"],
    noEmit: true
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["types.ts"] }))
  cpSync(new URL("scripts/packaging/installed/", root), folder, { recursive: true })

  run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error"], folder)
  const every = packages.map(({ manifest }) => `await import(${JSON.stringify(manifest.name)})`).join("\n")
  run(process.execPath, ["--input-type=module", "-e", every], folder)
  for (const program of ["consume.mjs", "migrations.mjs"]) {
    process.stdout.write(run(process.execPath, [program], folder))
  }
  run(process.execPath, [join("node_modules", "typescript", "bin", "tsc"), "-p", "."], folder)
  console.log(`packed, installed and used: ${packages.map(({ manifest }) => manifest.name).join(", ")}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
