/**
 * All that pipelines keep in PostgreSQL, as one layer:
 *
 * ```ts
 * const Main = Pipeline.layer(georegions).pipe(
 *   Layer.provide([KafkaJs.layerConfig, PostgresPipeline.layer]),
 *   Layer.provide(Postgres.layer)
 * )
 * ```
 *
 * @since 0.1.0
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import type * as AppliedConfigs from "@weft/config/AppliedConfigs"
import type * as ConfigStore from "@weft/config/ConfigStore"
import type * as RejoinTurns from "@weft/config/RejoinTurns"
import type * as MetricsSink from "@weft/pipeline/MetricsSink"
import * as Layer from "effect/Layer"
import * as PostgresAppliedConfigs from "./PostgresAppliedConfigs.ts"
import * as PostgresConfigStore from "./PostgresConfigStore.ts"
import * as PostgresMetricsSink from "./PostgresMetricsSink.ts"
import * as PostgresRejoinTurns from "./PostgresRejoinTurns.ts"
import * as Recommendations from "./Recommendations.ts"

/**
 * The settings are read from the database and followed, the metrics written to it; members that rejoin take turns, and say
 * what they run with; one of all members judges what they measured. Alerts are apart: see `PostgresAlertWatch`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<
  ConfigStore.ConfigStore | MetricsSink.MetricsSink | RejoinTurns.RejoinTurns | AppliedConfigs.AppliedConfigs,
  never,
  PgClient.PgClient
> = Layer.mergeAll(
  PostgresConfigStore.layer,
  PostgresMetricsSink.layer,
  PostgresRejoinTurns.layer,
  PostgresAppliedConfigs.layer,
  Recommendations.layerEvaluator()
)
