/**
 * The relay: `KAFKA_BROKERS=127.0.0.1:9092 RELAY_IN=a RELAY_OUT=b node examples/relay/src/main.ts`. See the README for
 * its variables. SIGTERM or Ctrl-C ends it gracefully, with 0.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Admin from "@weft/kafka/Admin"
import * as Producer from "@weft/kafka/Producer"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Postgres from "@weft/postgres/Postgres"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as PostgresRejoinTurns from "@weft/postgres/PostgresRejoinTurns"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { hostname } from "node:os"
import * as Relay from "./Relay.ts"
import * as RelaySettings from "./RelaySettings.ts"

const database = (settings: RelaySettings.RelaySettings) =>
  settings.databaseUrl === undefined
    ? Layer.merge(ConfigStore.layerStatic(), MetricsSink.layerNone)
    : Layer.mergeAll(PostgresConfigStore.layer, PostgresMetricsSink.layer, PostgresRejoinTurns.layer).pipe(
      Layer.provide(Postgres.layerUrl(Redacted.make(settings.databaseUrl), { applicationName: settings.member }))
    )

const say = Effect.fnUntraced(function*(settings: RelaySettings.RelaySettings, unknown: ReadonlyArray<string>) {
  const { databaseUrl, ...shown } = settings
  yield* Effect.logInfo(`relay: ${JSON.stringify(shown)}`)
  if (databaseUrl === undefined) {
    yield* Effect.logInfo("DATABASE_URL is not set: the settings are the defaults in the code, and no metrics are kept")
  }
  for (const name of unknown) yield* Effect.logWarning(`${name} is none of the relay's variables, and has no effect`)
})

const kafka = ({ brokers, transport }: RelaySettings.RelaySettings) => {
  switch (transport) {
    case "kafkajs":
      return KafkaJs.layer({ brokers })
    case "platformatic":
    case "platformatic-consumer":
      return Platformatic.layer({ brokers })
  }
}

const layers = (settings: RelaySettings.RelaySettings) =>
  Producer.layer({ clientId: settings.member }).pipe(
    Layer.provideMerge(kafka(settings)),
    Layer.merge(database(settings)),
    Layer.provideMerge(Logger.layer([Logger.consoleLogFmt]))
  )

const run = (settings: RelaySettings.RelaySettings, unknown: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    yield* say(settings, unknown)
    const partitions = yield* Effect.provide(Admin.partitionsOf([settings.output]), Admin.layer)
    return yield* Pipeline.run(Relay.make(settings, partitions.length))
  }).pipe(Effect.provide(layers(settings)))

const settings = RelaySettings.parse(process.env, `${hostname()}-${process.pid}`)
if (Result.isFailure(settings)) {
  for (const bad of settings.failure) console.error(RelaySettings.describe(bad))
  process.exitCode = 1
} else {
  NodeRuntime.runMain(run(settings.success, RelaySettings.unknownVariables(process.env)), {
    teardown: Pipeline.teardown
  })
}
