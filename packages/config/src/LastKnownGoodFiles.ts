/**
 * The last known good configurations in files, one for each service and database.
 *
 * @since 0.1.0
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { createHash, randomUUID } from "node:crypto"
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { homedir } from "node:os"
import { join } from "node:path"
import * as Saved from "./internal/savedRow.ts"
import { stateFolder } from "./internal/stateFolder.ts"
import { LastKnownGood, type SavedKey, type SavedRow } from "./LastKnownGood.ts"

const digest = (text: string) => createHash("sha256").update(text).digest("hex")

/** Far more than a row takes; what is larger is no file of ours. */
const sizeMax = 4 * 1024 * 1024

const nameOf = ({ service, store }: SavedKey) => {
  const told = service.replace(/[^A-Za-z0-9.-]/g, "_").slice(0, 60)
  return `config-${told}-${digest(JSON.stringify([store, service])).slice(0, 16)}.txt`
}

class FileFault extends Data.TaggedError("FileFault")<{ readonly message: string; readonly isMissing: boolean }> {}

const fileFault = (cause: unknown) =>
  new FileFault({
    message: cause instanceof Error ? cause.message : String(cause),
    isMissing: cause instanceof Error && "code" in cause && cause.code === "ENOENT"
  })

/** A disk that hangs (a share that is gone) must not hold a consumer up. */
const patience = "2 seconds"

/**
 * Files in a folder, which is made when it is first written to. A file is written beside its old version and takes its
 * place at once, so that a reader finds the old one or the new one, whole. One that is damaged, of another service or of
 * another version is ignored with a warning; so is a folder that cannot be written to.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFolder = (folder: string): Layer.Layer<LastKnownGood> =>
  Layer.sync(LastKnownGood, () => {
    const told = new Set<string>()
    const warn = (message: string) =>
      Effect.suspend(() => {
        if (told.has(message)) return Effect.void
        told.add(message)
        return Effect.logWarning(message)
      })
    /** Never fails: where the disk does not obey, that is told and the answer is `undefined`. */
    const bounded = <A>(what: string, effect: Effect.Effect<A, FileFault>): Effect.Effect<A | undefined> =>
      effect.pipe(
        Effect.timeoutOrElse({
          duration: patience,
          orElse: () => Effect.fail(fileFault("the disk does not answer"))
        }),
        Effect.catch(({ message }) => Effect.as(warn(`${what}: ${message}`), undefined))
      )

    const read = Effect.fnUntraced(function*(key: SavedKey) {
      const file = join(folder, nameOf(key))
      const what = `the last known good configuration in ${file} is ignored`
      const content = Effect.tryPromise({
        try: (signal) =>
          stat(file).then(({ size }) =>
            size > sizeMax ? Promise.reject(new Error("it is too large")) : readFile(file, { encoding: "utf8", signal })
          ),
        catch: fileFault
      })
      const text = yield* bounded(
        what,
        Effect.catchIf(content, ({ isMissing }) => isMissing, () => Effect.undefined)
      )
      if (text === undefined) return Option.none<SavedRow>()
      const decoded = Saved.decodeFor(key, text, digest)
      if ("saved" in decoded) return Option.some(decoded.saved)
      yield* warn(`${what}: ${decoded.fault}`)
      return Option.none<SavedRow>()
    })

    const write = (key: SavedKey, row: SavedRow) => {
      const file = join(folder, nameOf(key))
      const draft = `${file}.${randomUUID()}.draft`
      return bounded(
        `the last known good configuration cannot be kept in ${folder}`,
        Effect.tryPromise({
          try: () =>
            mkdir(folder, { recursive: true, mode: 0o700 })
              .then(() => writeFile(draft, Saved.encode(key, row, digest), { mode: 0o600, flush: true }))
              .then(() => rename(draft, file))
              .catch((cause: unknown) => rm(draft, { force: true }).catch(() => {}).then(() => Promise.reject(cause))),
          catch: fileFault
        })
      )
    }

    return LastKnownGood.of({ read, write })
  })

/**
 * The folder that `WEFT_STATE_DIR` names, else the one where the platform keeps a program's state: `$XDG_STATE_HOME/weft`
 * or `~/.local/state/weft` on Linux, `~/Library/Application Support/weft` on macOS, `%LOCALAPPDATA%\weft` on Windows.
 *
 * @category accessors
 * @since 0.1.0
 */
export const ownFolder: Effect.Effect<string> = Effect.gen(function*() {
  const provider = yield* ConfigProvider.ConfigProvider
  const found = new Map<string, string>()
  for (const name of ["WEFT_STATE_DIR", "XDG_STATE_HOME", "LOCALAPPDATA"]) {
    const node = yield* Effect.orElseSucceed(provider.load([name]), () => undefined)
    if (node?.value !== undefined && node.value !== "") found.set(name, node.value)
  }
  return stateFolder({
    platform: process.platform,
    home: homedir(),
    variable: (name) => found.get(name)
  })
})

/**
 * Files in {@link ownFolder}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<LastKnownGood> = Layer.unwrap(Effect.map(ownFolder, layerFolder))
