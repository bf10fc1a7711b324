import type { Manifest } from "./packages.ts"

/** Node of this version is the first that runs Effect 4. */
const node = ">=22.19"

const compiled = (source: string): string => source.replace(/^\.\/src\//, "./").replace(/\.ts$/, ".js")

/** A `.ts` file of `src` becomes what was compiled from it; anything else stays. */
const published = (target: string | null) =>
  target?.endsWith(".ts")
    ? { types: compiled(target).replace(/\.js$/, ".d.ts"), default: compiled(target) }
    : target

const mapValues = <A, B>(record: Readonly<Record<string, A>>, f: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]))

/**
 * The package.json of the folder that is packed. In the checkout a package exports its TypeScript, which Node runs as it stands; no
 * Node does that in node_modules, and npm has no way to change `exports` while packing.
 */
export const publishedManifest = (manifest: Manifest, folders: ReadonlyArray<string> = []) => {
  const { bin, exports, private: _, ...kept } = manifest
  return {
    ...kept,
    engines: { node },
    sideEffects: false,
    // Without the compiler's own notes.
    files: ["**/*.js", "**/*.d.ts", "**/*.map", "src", ...folders],
    exports: mapValues(exports, published),
    ...(bin && { bin: mapValues(bin, compiled) })
  }
}
