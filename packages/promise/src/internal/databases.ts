/** The database of a consumer: where its settings are and its metrics go. */
import * as ConfigStore from "@weft/config/ConfigStore"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Postgres from "@weft/postgres/Postgres"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresPipeline from "@weft/postgres/PostgresPipeline"
import * as Recommendations from "@weft/postgres/Recommendations"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { Database } from "../ConsumerConfig.ts"

/** A pool; nothing connects before it is needed. */
const pool = (database: string | Database) => {
  const { url, ...options } = typeof database === "string" ? { url: database } : database
  return Postgres.layerUrl(Redacted.make(url), options, "database")
}

export const configStore = (database: string | Database) => Layer.provide(PostgresConfigStore.layer, pool(database))

export const recommendationsOf = (database: string | Database) => Layer.provide(Recommendations.layer, pool(database))

/** Without a database, settings are profile and defaults, and nothing is measured. */
export const databaseOf = (
  database: string | Database | undefined
): Layer.Layer<ConfigStore.ConfigStore | MetricsSink.MetricsSink, Postgres.DatabaseConfigError> =>
  database === undefined
    ? Layer.merge(ConfigStore.layerStatic(), MetricsSink.layerNone)
    : Layer.provide(PostgresPipeline.layer, pool(database))
