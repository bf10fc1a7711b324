/**
 * Reads .sql files from a folder.
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Fault, idOf, type MigrationFile } from "./migrationPlan.ts"

/** The same for a checkout that turned line ends into CRLF. */
export const checksum = (sql: string): string => createHash("sha256").update(sql.replaceAll("\r\n", "\n")).digest("hex")

/**
 * The folder of Weft's own migrations: beside the compiled modules in an installed package, at the root of the
 * repository in a checkout.
 */
export const ownFolder = (): string => {
  const [packed, checkout] = ["../migrations/", "../../../../migrations/"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url))
  ) as [string, string]
  return existsSync(packed) ? packed : checkout
}

export interface Unreadable {
  readonly kind: "Unreadable"
  readonly file: string
  readonly message: string
}

const unreadable = (file: string) => (cause: unknown): Unreadable => ({
  kind: "Unreadable",
  file,
  message: `cannot read ${file}: ${cause instanceof Error ? cause.message : String(cause)}`
})

const readOne = Effect.fnUntraced(
  function*(folder: string, name: string): Effect.fn.Return<MigrationFile, Fault | Unreadable> {
    const id = idOf(name)
    if (typeof id !== "number") return yield* Effect.fail(id)
    const path = join(folder, name)
    const sql = yield* Effect.tryPromise({ try: () => readFile(path, "utf8"), catch: unreadable(path) })
    return { id, name, checksum: checksum(sql), sql }
  }
)

export const readFolder = Effect.fnUntraced(
  function*(folder: string): Effect.fn.Return<ReadonlyArray<MigrationFile>, Fault | Unreadable> {
    const names = yield* Effect.tryPromise({ try: () => readdir(folder), catch: unreadable(folder) })
    return yield* Effect.forEach(
      names.filter((name) => name.endsWith(".sql")).toSorted(),
      (name) => readOne(folder, name)
    )
  }
)
