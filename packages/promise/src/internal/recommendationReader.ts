/** Judges services and reads what stands. */
import * as Recommendations from "@weft/postgres/Recommendations"
import * as Effect from "effect/Effect"
import type { Database } from "../ConsumerConfig.ts"
import { DatabaseFailedError } from "../WeftError.ts"
import { optionFault } from "./configReader.ts"
import { recommendationsOf } from "./databases.ts"
import { loggingTo } from "./logging.ts"

export const readRecommendations = (
  database: string | Database,
  service: string | undefined
): Promise<ReadonlyArray<Recommendations.StoredRecommendation>> =>
  Effect.gen(function*() {
    const recommendations = yield* Recommendations.Recommendations
    const services = service === undefined ? yield* recommendations.services : [service]
    yield* Effect.forEach(services, (one) => recommendations.refresh(one), { discard: true })
    return yield* recommendations.list(service)
  }).pipe(
    Effect.provide(recommendationsOf(database)),
    Effect.catchTags({
      DatabaseConfigError: ({ message }) => Effect.fail(optionFault("database", message)),
      RecommendationsError: ({ cause, message }) => Effect.fail(new DatabaseFailedError(message, cause))
    }),
    Effect.provide(loggingTo(false)),
    Effect.runPromise
  )
