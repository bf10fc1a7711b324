import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import type { ListenerName } from "./byName.ts"
import type { ListenTask, Told } from "./listen.ts"

export interface Elsewhere {
  /** Just before its process was started, on the machine's monotonic clock. */
  readonly startedNs: bigint
  /** The first that it tells of this; fails where it ends without. */
  readonly told: <Tag extends Told["_tag"]>(tag: Tag) => Promise<Extract<Told, { readonly _tag: Tag }>>
  readonly join: () => void
  readonly leave: () => void
}

const tags = ["Loaded", "Assigned", "First", "Left"] as const satisfies ReadonlyArray<Told["_tag"]>

/** Starts a listener in a process of its own, which ends with this one. */
export const listenElsewhere = (
  name: ListenerName,
  task: ListenTask,
  env: NodeJS.ProcessEnv = process.env
): Elsewhere => {
  const startedNs = process.hrtime.bigint()
  const child = fork(fileURLToPath(new URL("listen.ts", import.meta.url)), [name, JSON.stringify(task)], {
    env,
    serialization: "advanced",
    execArgv: ["--no-warnings"],
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  const heard = new Map(tags.map((tag) => [tag, Promise.withResolvers<Told>()]))
  // Who does not wait for it need not hear of its end.
  for (const { promise } of heard.values()) promise.catch(() => {})
  child.on("message", (told: Told) => heard.get(told._tag)!.resolve(told))
  // After the last message, unlike the exit.
  child.on("disconnect", () => {
    for (const [tag, { reject }] of heard) reject(new Error(`${name} ended before it was ${tag.toLowerCase()}`))
  })
  return {
    startedNs,
    told: <Tag extends Told["_tag"]>(tag: Tag) =>
      heard.get(tag)!.promise as Promise<Extract<Told, { readonly _tag: Tag }>>,
    join: () => child.send("join"),
    leave: () => child.send("leave")
  }
}
