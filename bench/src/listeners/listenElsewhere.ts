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
  const heard: Array<Told> = []
  child.on("message", (told) => heard.push(told as Told))
  return {
    startedNs,
    told: (tag) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const told = heard.find(({ _tag }) => _tag === tag)
          if (told === undefined) return
          child.off("message", look)
          child.off("exit", ended)
          resolve(told as Extract<Told, { readonly _tag: typeof tag }>)
        }
        const ended = () => reject(new Error(`${name} ended before it was ${tag.toLowerCase()}`))
        child.on("message", look)
        child.on("exit", ended)
        look()
      }),
    join: () => child.send("join"),
    leave: () => child.send("leave")
  }
}
