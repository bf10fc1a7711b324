/** A service with everything that it has in its database: its row of settings, and where its configuration is kept. */
import * as Setting from "@weft/config/Setting"
import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as Postgres from "@weft/postgres/Postgres"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as SqlClient from "effect/sql/SqlClient"
import type * as PgClient from "@effect/sql-pg/PgClient"
import { temporaryFolder } from "../../../scripts/servers/temporaryFolder.ts"
import type { Task } from "./Contender.ts"

type Row = { readonly [Key in Setting.SettingKey]?: string | number | boolean | undefined }

const rowOf = (values: Row): ConfigWriter.Values =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[Setting.settings[name as Setting.SettingKey].sql, value]]
    )
  )

/** Runs with the task's database, in which the service is that of the group and has this row. */
export const withRow = async <A, E>(
  task: Task,
  row: Row,
  use: Effect.Effect<A, E, PgClient.PgClient | SqlClient.SqlClient>
): Promise<A> => {
  if (task.postgres === undefined) throw new Error("there is no database")
  const state = await temporaryFolder("weft-bench-state-")
  const database = Layer.mergeAll(
    Postgres.layerUrl(Redacted.make(task.postgres)),
    // Where the configuration is kept for a start without the database.
    ConfigProvider.layer(ConfigProvider.fromUnknown({ WEFT_STATE_DIR: state.path }))
  )
  const answer = await Effect.gen(function*() {
    const writer = yield* ConfigWriter.ConfigWriter
    yield* writer.set(task.group, rowOf({ consumerGroupId: task.group, ...row }))
    return yield* use
  }).pipe(Effect.provide(Layer.provideMerge(ConfigWriter.layer, database)), Effect.runPromise)
  await state.remove()
  return answer
}
