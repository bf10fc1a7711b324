/** What a pipeline's definition says of settings that a row may say otherwise. Pure. */
import type { Values } from "@weft/config/WorkloadProfile"
import * as Duration from "effect/Duration"
import type { Definition } from "../PipelineOptions.ts"

export const codeSettings = (
  { concurrency, maxInFlight, metricsInterval, order }: Definition<unknown>
): Values => ({
  ...(order !== undefined && { processingOrder: order }),
  ...(concurrency !== undefined && { concurrency }),
  ...(maxInFlight !== undefined && { maxInFlight }),
  ...(metricsInterval !== undefined && {
    metricsIntervalMs: Math.round(Duration.toMillis(Duration.fromInputUnsafe(metricsInterval)))
  })
})
