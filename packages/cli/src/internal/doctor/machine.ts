/** The machine that the command runs on: Node, and the folder of the last known good configurations. */
import { ownFolder } from "@weft/config/LastKnownGoodFiles"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { type Finding, of } from "./finding.ts"

const finding = of("machine")

const oldestNode = [22, 19] as const

export const nodeFinding = (version: string): Finding => {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number)
  const isNew = major > oldestNode[0] || major === oldestNode[0] && minor >= oldestNode[1]
  return isNew
    ? finding("Node.js", "ok", version)
    : finding(
      "Node.js",
      "failure",
      `${version} is older than ${oldestNode.join(".")}`,
      "install a current Node.js; npm scripts of a project that depends on the package `node` use that one"
    )
}

/** Whether a file can be written where consumers keep their last known good configurations. */
export const stateFolderFinding = Effect.gen(function*() {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* ownFolder
  const next =
    `make ${folder} writable for the user that runs consumers, or set WEFT_STATE_DIR; without it, a start while the database is away uses defaults`
  return yield* files.makeDirectory(folder, { recursive: true }).pipe(
    Effect.andThen(files.makeTempDirectoryScoped({ directory: folder, prefix: "doctor-" })),
    Effect.flatMap((made) => files.writeFileString(path.join(made, "probe"), "ok")),
    Effect.scoped,
    Effect.match({
      onSuccess: () => finding("state folder", "ok", folder),
      onFailure: (error) => finding("state folder", "warning", `${folder} cannot be written: ${error.message}`, next)
    })
  )
})
