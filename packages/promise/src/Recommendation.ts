/**
 * What services should change, judged by what their members measured.
 *
 * @since 0.1.0
 */
import * as Recommendation from "@weft/pipeline/Recommendation"
import type { StoredRecommendation } from "@weft/postgres/Recommendations"
import * as DateTime from "effect/DateTime"
import type { Database } from "./ConsumerConfig.ts"
import { readRecommendations } from "./internal/recommendationReader.ts"

/**
 * Settings by the names that their columns have.
 *
 * @category models
 * @since 0.1.0
 */
export type SettingsByColumn = Readonly<Record<string, string | number | boolean>>

/**
 * A recommendation, with the names of the columns of `consumer_recommendations`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProcessingRecommendation {
  readonly service_name: string
  /** The rule that it comes from; the handbook has a section for each. */
  readonly rule: string
  readonly priority: "high" | "medium" | "low"
  /** What is wrong, in a sentence with the figures. */
  readonly reason: string
  /** The values now: of the settings that the rule judges, and of those that would change. */
  readonly current_config: SettingsByColumn
  /** The values that the service's row should get; empty where no setting helps. */
  readonly recommended_config: SettingsByColumn
  /** What a person should do beside that, or instead; `null`: nothing. */
  readonly action: string | null
  readonly expected_effect: string
  /** The figures that it was judged by, by name with unit. */
  readonly evidence: Readonly<Record<string, number>>
  /** From 0 to 1: how sure the cause is, and how much was seen of it. */
  readonly confidence: number
  readonly created_at: Date
  readonly updated_at: Date
}

const dateOf = (millis: number): Date => DateTime.toDateUtc(DateTime.makeUnsafe(millis))

const fromStored = (one: StoredRecommendation): ProcessingRecommendation => ({
  ...Recommendation.columns(one),
  created_at: dateOf(one.createdAt),
  updated_at: dateOf(one.updatedAt)
})

/**
 * What stands now, the most urgent first: of one service, or of all that were measured lately. It is judged anew, so that
 * it needs no process that does so; `weft recommend --apply` writes what is recommended.
 *
 * ```ts
 * for (const rec of await getProcessingRecommendations("postgres://loom:loom@localhost:5432/loom")) {
 *   if (rec.priority === "high") console.log(`${rec.service_name}: ${JSON.stringify(rec.recommended_config)}`, rec.reason)
 * }
 * ```
 *
 * Rejects with `INVALID_OPTION` for a URL that is none, and with `DATABASE_FAILED` where the database is away, does not
 * answer in time, or has no tables of Weft.
 *
 * @category loading
 * @since 0.1.0
 */
export const getProcessingRecommendations = (
  database: string | Database,
  options: { readonly service?: string | undefined } = {}
): Promise<ReadonlyArray<ProcessingRecommendation>> =>
  readRecommendations(database, options.service).then((all) => all.map(fromStored))
