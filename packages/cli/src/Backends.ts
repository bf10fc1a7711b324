/**
 * The Kafka and the database that the commands work on. Neither is connected to before a command needs it.
 *
 * @since 0.1.0
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import { InvalidSettingError } from "@weft/kafka/KafkaError"
import * as OptionalTransport from "@weft/kafka/OptionalTransport"
import type { Transport } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Postgres from "@weft/postgres/Postgres"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as SqlClient from "effect/sql/SqlClient"

/**
 * The client libraries that commands can be on.
 *
 * @category models
 * @since 0.1.0
 */
export type TransportName = "kafkajs" | "platformatic"

/**
 * @category services
 * @since 0.1.0
 */
export class Backends extends Context.Service<Backends, {
  /** On that library, where the command line names one. */
  readonly transport: (name: TransportName | undefined) => Layer.Layer<Transport, InvalidSettingError>
  readonly database: Layer.Layer<PgClient.PgClient | SqlClient.SqlClient, Postgres.DatabaseConfigError>
}>()("@weft/cli/Backends") {}

const transports: { readonly [N in TransportName]: Layer.Layer<Transport, InvalidSettingError> } = {
  kafkajs: KafkaJs.layerConfig,
  platformatic: OptionalTransport.layer({
    name: "platformatic",
    package: "@weft/platformatic",
    load: () => import("@weft/platformatic/Platformatic").then(({ layerConfig }) => layerConfig)
  })
}

/**
 * The names of the client libraries.
 *
 * @category constants
 * @since 0.1.0
 */
export const transportNames = Object.keys(transports) as ReadonlyArray<TransportName>

const fromEnvironment: Effect.Effect<TransportName, InvalidSettingError> = Effect.gen(function*() {
  const provider = yield* ConfigProvider.ConfigProvider
  const value = (yield* Effect.orElseSucceed(provider.load(["KAFKA_TRANSPORT"]), () => undefined))?.value ?? ""
  const named = transportNames.find((name) => name === value)
  if (named === undefined && value !== "") {
    return yield* new InvalidSettingError({
      setting: "KAFKA_TRANSPORT",
      value,
      reason: `is none of ${transportNames.join(", ")}`
    })
  }
  return named ?? "kafkajs"
})

/**
 * Those that the environment names: `KAFKA_BROKERS` (and `KAFKA_SSL`, `KAFKA_SASL_MECHANISM`, ...), by the client library of
 * `KAFKA_TRANSPORT` (`kafkajs`, the default, or `platformatic`) unless the command line names one, and `DATABASE_URL`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<Backends> = Layer.succeed(Backends, {
  transport: (name) =>
    name === undefined ? Layer.unwrap(Effect.map(fromEnvironment, (named) => transports[named])) : transports[name],
  database: Postgres.layerConfig({ poolSize: 2, applicationName: "weft cli" })
})
