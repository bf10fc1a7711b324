import * as PgClient from "@effect/sql-pg/PgClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { execFile } from "node:child_process"
import { chown, mkdir } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { onPorts } from "./ports.ts"
import { postgresBinaries } from "./postgresBinaries.ts"
import { type ServerProcess, spawnServer } from "./serverProcess.ts"
import { temporaryFolder } from "./temporaryFolder.ts"
import { waitUntil } from "./waitUntil.ts"

const run = promisify(execFile)
const readyWithinMs = 120_000

export interface PostgresServer {
  /** The maintenance database; its user may create others. */
  readonly url: string
  /** False where the server is not ours (DATABASE_URL). */
  readonly isOurs: boolean
  /** Creates an empty database and returns its URL. */
  readonly createDatabase: (name: string) => Promise<string>
  readonly stop: () => Promise<void>
  /** An outage: it goes and keeps its data. Only where it is ours. */
  readonly halt: () => Promise<void>
  /** Its end: the server is back after `halt`, on the same port and data, and accepts connections. */
  readonly restart: () => Promise<void>
}

const query = (url: string, statement: string): Promise<ReadonlyArray<Readonly<Record<string, unknown>>>> =>
  Effect.gen(function*() {
    const sql = yield* PgClient.PgClient
    return yield* sql.unsafe<Readonly<Record<string, unknown>>>(statement).unprepared
  }).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 1, connectTimeout: Duration.seconds(5) })),
    Effect.runPromise
  )

const quoted = (name: string) => `"${name.replaceAll("\"", "\"\"")}"`

/** Creates an empty database on the server of `url`, and returns its URL. */
export const createDatabase = async (url: string, name: string): Promise<string> => {
  // template0 and not template1: the latter cannot be copied while anybody is connected to it.
  await query(url, `CREATE DATABASE ${quoted(name)} TEMPLATE template0`)
  const created = new URL(url)
  created.pathname = `/${encodeURIComponent(name)}`
  return created.href
}

/** Drops every database whose name starts with the prefix, also while it is in use. */
export const dropDatabases = async (url: string, prefix: string): Promise<void> => {
  for (const { datname } of await query(url, "SELECT datname FROM pg_database")) {
    const name = String(datname)
    if (name.startsWith(prefix)) await query(url, `DROP DATABASE IF EXISTS ${quoted(name)} WITH (FORCE)`)
  }
}

const onServer = (url: string): Pick<PostgresServer, "url" | "createDatabase"> => ({
  url,
  createDatabase: (name) => createDatabase(url, name)
})

const startOurs = (port: number | undefined): Promise<PostgresServer> => onPorts(port, 1, 0, ([free]) => startOn(free!))

const startOn = async (free: number): Promise<PostgresServer> => {
  const { initdb, postgres, user } = await postgresBinaries()
  const folder = await temporaryFolder("weft-postgres-")
  const data = join(folder.path, "data")
  await mkdir(data)
  if (user !== undefined) {
    await chown(folder.path, user.uid, user.gid)
    await chown(data, user.uid, user.gid)
  }
  let server: ServerProcess | undefined
  const stop = async () => {
    await server?.stop()
    await folder.remove()
  }
  try {
    await run(initdb, ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], {
      ...user
    })
    // Durability is what a server in a temporary folder can do without; it is several times faster so.
    const fast = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    const settings = [...fast, "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"]
    const url = `postgres://postgres@127.0.0.1:${free}/postgres`
    const start = async () => {
      const started = await spawnServer({
        command: postgres,
        args: ["-D", data, "-p", String(free), ...settings.flatMap((setting) => ["-c", setting])],
        logFile: join(folder.path, "log"),
        // "Fast shutdown": open connections are ended rather than waited for.
        stopSignal: "SIGINT",
        ...user
      })
      server = started
      await waitUntil({
        what: "PostgreSQL",
        timeoutMs: readyWithinMs,
        isReady: () => query(url, "SELECT 1").then(() => true),
        giveUp: () => {
          if (!started.isRunning()) throw new Error(`PostgreSQL ended while starting:\n${started.logTail()}`)
        }
      })
    }
    await start()
    return { ...onServer(url), isOurs: true, stop, halt: async () => server?.stop(), restart: start }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The PostgreSQL of DATABASE_URL if that is set, else a real one of our own, stopped with this process at the latest. */
export const startPostgres = async (options: { readonly port?: number } = {}): Promise<PostgresServer> => {
  const given = process.env["DATABASE_URL"]
  if (!given) return startOurs(options.port)
  const notOurs = () => Promise.reject(new Error("the PostgreSQL of DATABASE_URL is not ours to stop"))
  return { ...onServer(given), isOurs: false, stop: async () => {}, halt: notOurs, restart: notOurs }
}
