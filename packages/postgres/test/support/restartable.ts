/** A PostgreSQL of a test's own, which can be stopped and started again on the same port, with the same data. */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { chown, mkdir, truncate } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { portsFrom } from "../../../../scripts/servers/ports.ts"
import { postgresBinaries } from "../../../../scripts/servers/postgresBinaries.ts"
import { type ServerProcess, spawnServer } from "../../../../scripts/servers/serverProcess.ts"
import { temporaryFolder } from "../../../../scripts/servers/temporaryFolder.ts"
import { waitUntil } from "../../../../scripts/servers/waitUntil.ts"

const run = promisify(execFile)

export interface RestartableServer {
  readonly url: string
  readonly start: Effect.Effect<void>
  /** In order, or as a crash would. */
  readonly stop: (how?: "orderly" | "killed") => Effect.Effect<void>
}

const open = async () => {
  const [port] = await portsFrom(undefined, 1)
  const { initdb, postgres, user } = await postgresBinaries()
  const folder = await temporaryFolder("weft-postgres-")
  const data = join(folder.path, "data")
  await mkdir(data)
  if (user !== undefined) {
    await chown(folder.path, user.uid, user.gid)
    await chown(data, user.uid, user.gid)
  }
  await run(initdb, ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], { ...user })
  const settings = ["fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories="]
  const logFile = join(folder.path, "log")
  let server: ServerProcess | undefined
  const start = async () => {
    server = await spawnServer({
      command: postgres,
      args: ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
      logFile,
      stopSignal: "SIGINT",
      ...user
    })
    const started = server
    await waitUntil({
      what: "PostgreSQL",
      timeoutMs: 60_000,
      isReady: () => Promise.resolve(started.logTail().includes("ready to accept connections")),
      giveUp: () => {
        if (!started.isRunning()) throw new Error(`PostgreSQL ended while starting:\n${started.logTail()}`)
      }
    })
  }
  const stop = async (how: "orderly" | "killed" = "orderly") => {
    await (how === "killed" ? server?.kill() : server?.stop())
    // What it said of its start must not be taken for that of the next one.
    await truncate(logFile).catch(() => undefined)
  }
  await start()
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, start, stop, remove: folder.remove }
}

export const restartable = Effect.map(
  Effect.acquireRelease(
    Effect.promise(open),
    (server) => Effect.promise(() => server.stop().then(server.remove))
  ),
  ({ start, stop, url }): RestartableServer => ({
    url,
    start: Effect.promise(start),
    stop: (how) => Effect.promise(() => stop(how))
  })
)
