/**
 * The georegion detector on a real Kafka and a real PostgreSQL: `KAFKA_BROKERS` and `DATABASE_URL` say where they are.
 * SIGTERM or Ctrl-C ends it gracefully.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as PipelineTracing from "@weft/pipeline/Tracing"
import * as Postgres from "@weft/postgres/Postgres"
import * as PostgresAlertWatch from "@weft/postgres/PostgresAlertWatch"
import * as PostgresPipeline from "@weft/postgres/PostgresPipeline"
import * as Layer from "effect/Layer"
import { georegions } from "./Georegions.ts"
import * as GeoregionDetector from "./GeoregionDetector.ts"
import * as HealthServer from "./HealthServer.ts"
import * as Tables from "./Tables.ts"
import * as Tracing from "./Tracing.ts"

const Main = Pipeline.layer(georegions).pipe(
  Layer.provide([PipelineTracing.layerProducer(), GeoregionDetector.layerPostgres]),
  Layer.provide([KafkaJs.layerConfig, PostgresPipeline.layer]),
  Layer.merge(PostgresAlertWatch.layer),
  Layer.provide(Tables.layer),
  Layer.provide([Postgres.layer, Tracing.layer]),
  Layer.merge(HealthServer.layer)
)

NodeRuntime.runMain(Pipeline.launch(Main), { teardown: Pipeline.teardown })
