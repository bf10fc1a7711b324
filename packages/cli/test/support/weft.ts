/** Runs the command in this process, as a terminal without colours would see it. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import type { PgClient } from "@effect/sql-pg/PgClient"
import { Backends } from "@weft/cli/Backends"
import * as Weft from "@weft/cli/Weft"
import { Transport } from "@weft/kafka/Transport"
import * as Postgres from "@weft/postgres/Postgres"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { SqlClient } from "effect/sql/SqlClient"

export interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** One command line, split at spaces, or as its words. What it says can be watched while it goes on. */
export const weft = Effect.fnUntraced(function*(
  line: string | ReadonlyArray<string>,
  { err, out }: { readonly out: Array<string>; readonly err: Array<string> } = { out: [], err: [] }
) {
  const console: Console.Console = Object.assign(Object.create(globalThis.console) as Console.Console, {
    log: (text: string) => void out.push(text),
    error: (text: string) => void err.push(text)
  })
  const args = typeof line === "string" ? line.split(" ").filter((word) => word !== "") : line
  const code = yield* Weft.run(args).pipe(
    Effect.as(0),
    Effect.catchTag("Ended", (ended) => Effect.succeed(ended.code)),
    Effect.provideService(Console.Console, console),
    Effect.provide(NodeServices.layer)
  )
  return { code, out: out.join("\n"), err: err.join("\n") } satisfies Said
})

/** The JSON that a command answers; it must have ended well. */
export const json = Effect.fnUntraced(function*(line: string) {
  const { code, err, out } = yield* weft(`${line} --json`)
  if (code !== 0) return yield* Effect.die(new Error(`weft ${line} ended with ${code}: ${err}`))
  return JSON.parse(out) as unknown
})

const environment = (env: Readonly<Record<string, string>>) =>
  Layer.succeed(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))

export const noDatabase: Layer.Layer<PgClient | SqlClient, Postgres.DatabaseConfigError> = Layer.provide(
  Postgres.layerConfig(),
  environment({})
)

/** The in-memory cluster, and no database. */
export const memory = (options?: MemoryCluster.Options) =>
  Layer.provideMerge(
    Layer.effect(
      Backends,
      Effect.map(MemoryCluster.MemoryCluster, ({ transport }) => ({
        transport: () => Layer.succeed(Transport, transport),
        database: noDatabase
      }))
    ),
    MemoryCluster.layerWith(options)
  )

/** A database, and no Kafka that is meant to be asked. */
export const database = (url: string): Layer.Layer<Backends> =>
  Layer.succeed(Backends, {
    transport: () => Layer.effect(Transport, Effect.die(new Error("no Kafka here"))),
    database: Postgres.layerUrl(Redacted.make(url), { poolSize: 2 })
  })
