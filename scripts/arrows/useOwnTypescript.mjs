/**
 * dependency-cruiser parses TypeScript by the `typescript` it finds beside it, and version 7 has no parser that it could call. This
 * gives it the older one that this folder's package.json names. Preload it: node --import ./scripts/arrows/useOwnTypescript.mjs
 */
import { createRequire, registerHooks } from "node:module"
import { pathToFileURL } from "node:url"

const { resolve } = createRequire(import.meta.url)
const own = new Map(
  ["typescript", "typescript/package.json"].map((specifier) => [specifier, pathToFileURL(resolve(specifier)).href])
)

registerHooks({
  resolve: (specifier, context, nextResolve) =>
    own.has(specifier) ? { url: own.get(specifier), shortCircuit: true } : nextResolve(specifier, context)
})
