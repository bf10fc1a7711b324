/**
 * The Kafka and the database that the commands work on. Neither is connected to before a command needs it.
 *
 * @since 0.1.0
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import type { InvalidSettingError } from "@weft/kafka/KafkaError"
import type { Transport } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Postgres from "@weft/postgres/Postgres"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type * as SqlClient from "effect/sql/SqlClient"

/**
 * @category services
 * @since 0.1.0
 */
export class Backends extends Context.Service<Backends, {
  readonly transport: Layer.Layer<Transport, InvalidSettingError>
  readonly database: Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, Postgres.DatabaseConfigError>
}>()("@weft/cli/Backends") {}

/**
 * Those that the environment names: `KAFKA_BROKERS` (and `KAFKA_SSL`, `KAFKA_SASL_MECHANISM`, ...) and `DATABASE_URL`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Backends> = Layer.succeed(Backends, {
  transport: KafkaJs.layerConfig,
  database: Postgres.layerConfig({ poolSize: 2, applicationName: "weft cli" })
})
