/** A member in a process of its own: `member.ts SITUATION TOPIC`, with `KAFKA_BROKERS` and `DATABASE_URL`. It ends at SIGTERM. */
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Postgres from "@weft/postgres/Postgres"
import * as PostgresAppliedConfigs from "@weft/postgres/PostgresAppliedConfigs"
import * as PostgresConfigStore from "@weft/postgres/PostgresConfigStore"
import * as PostgresMetricsSink from "@weft/postgres/PostgresMetricsSink"
import * as PostgresRejoinTurns from "@weft/postgres/PostgresRejoinTurns"
import * as Recommendations from "@weft/postgres/Recommendations"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { type Name, pipelineOf } from "./situations.ts"

const [name, topic] = process.argv.slice(2) as [Name, string]

const live = Layer.mergeAll(
  PostgresConfigStore.layer,
  PostgresMetricsSink.layer,
  PostgresAppliedConfigs.layer,
  PostgresRejoinTurns.layer,
  Recommendations.layerEvaluator(),
  KafkaJs.layerConfig
).pipe(Layer.provideMerge(Postgres.layerConfig({ poolSize: 4 })))

const running = Effect.runFork(
  Pipeline.launch(Pipeline.layer(pipelineOf(name, topic)).pipe(Layer.provide(live))).pipe(
    Effect.provide(Logger.layer([]))
  )
)
process.once("SIGTERM", () => running.interruptUnsafe())
running.addObserver(() => process.exit())
