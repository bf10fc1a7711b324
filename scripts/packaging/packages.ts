import { existsSync, readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly description?: string
  readonly exports: Readonly<Record<string, string | null>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, unknown>>
}

export interface Package {
  readonly folder: URL
  readonly manifest: Manifest
}

export const root = new URL("../../", import.meta.url)

/** The packages that are published: those of `packages/` that hold a public module. */
export const publishedPackages = (): ReadonlyArray<Package> =>
  readdirSync(new URL("packages/", root))
    .map((name) => new URL(`packages/${name}/`, root))
    .filter((folder) => existsSync(new URL("src/index.ts", folder)))
    .map((folder) => ({
      folder,
      manifest: JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as Manifest
    }))
    .filter(({ manifest }) => manifest.private !== true)

export const path = (url: URL): string => fileURLToPath(url)
