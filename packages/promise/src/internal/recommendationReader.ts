/** Judges services and reads what stands. */
import * as Recommendations from "@weft/postgres/Recommendations"
import * as Effect from "effect/Effect"
import type { Database } from "../ConsumerConfig.ts"
import type { ProcessingRecommendation } from "../Recommendation.ts"
import { DatabaseFailedError } from "../WeftError.ts"
import { optionFault } from "./configReader.ts"
import { recommendationsOf } from "./databases.ts"
import { loggingTo } from "./logging.ts"

const fromStored = (one: Recommendations.StoredRecommendation): ProcessingRecommendation => ({
  service_name: one.service,
  rule: one.rule,
  priority: one.priority,
  reason: one.reason,
  current_config: one.currentConfig,
  recommended_config: one.recommendedConfig,
  action: one.action ?? null,
  expected_effect: one.expectedEffect,
  evidence: one.evidence,
  confidence: one.confidence,
  created_at: new Date(one.createdAt),
  updated_at: new Date(one.updatedAt)
})

export const readRecommendations = (
  database: string | Database,
  service: string | undefined
): Promise<ReadonlyArray<ProcessingRecommendation>> =>
  Effect.gen(function*() {
    const recommendations = yield* Recommendations.Recommendations
    const services = service === undefined ? yield* recommendations.services : [service]
    yield* Effect.forEach(services, (one) => recommendations.refresh(one), { discard: true })
    return (yield* recommendations.list(service)).map(fromStored)
  }).pipe(
    Effect.provide(recommendationsOf(database)),
    Effect.catchTags({
      DatabaseConfigError: ({ message }) => Effect.fail(optionFault("database", message)),
      RecommendationsError: ({ cause, message }) => Effect.fail(new DatabaseFailedError(message, cause))
    }),
    Effect.provide(loggingTo(false)),
    Effect.runPromise
  )
