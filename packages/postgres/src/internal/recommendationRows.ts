/** Recommendations as rows of `consumer_recommendations`. */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as Recommendation from "@weft/pipeline/Recommendation"
import type * as RecommendationRules from "@weft/pipeline/RecommendationRules"
import * as Effect from "effect/Effect"
import type { Fragment } from "effect/sql/Statement"
import { storable, storableJson } from "./storable.ts"

/** With the times that the table knows, in milliseconds since 1970. */
export interface Stored extends Recommendation.Recommendation {
  readonly createdAt: number
  readonly updatedAt: number
  readonly resolvedAt: number | undefined
  readonly resolution: "applied" | "no longer" | undefined
}

interface Row {
  readonly service: string
  readonly rule: string
  readonly priority: RecommendationRules.Priority
  readonly reason: string
  readonly currentConfig: Recommendation.Configuration
  readonly recommendedConfig: Recommendation.Configuration
  readonly action: string | null
  readonly expectedEffect: string
  readonly evidence: RecommendationRules.Figures
  readonly confidence: number
  readonly createdAt: number
  readonly updatedAt: number
  readonly resolvedAt: number | null
  readonly resolution: "applied" | "no longer" | null
}

const fromRow = (row: Row): Stored => ({
  ...row,
  action: row.action ?? undefined,
  resolvedAt: row.resolvedAt ?? undefined,
  resolution: row.resolution ?? undefined
})

/** Those that stand first, the most urgent and oldest of them before the others. */
export const read = (sql: PgClient.PgClient, where: Fragment) => {
  const millis = (column: string) => sql`(extract(epoch FROM ${sql(column)}) * 1000)::double precision`
  return sql<Row>`
    SELECT
      service_name AS service, rule, priority, reason, current_config AS "currentConfig",
      recommended_config AS "recommendedConfig", action, expected_effect AS "expectedEffect", evidence, confidence,
      ${millis("created_at")} AS "createdAt", ${millis("updated_at")} AS "updatedAt",
      ${millis("resolved_at")} AS "resolvedAt", resolution
    FROM consumer_recommendations WHERE ${where}
    ORDER BY resolved_at IS NOT NULL, array_position(ARRAY['high', 'medium', 'low'], priority), created_at, service_name, rule
  `.pipe(Effect.map((rows) => rows.map(fromRow)))
}

export const toRow = (one: Recommendation.Recommendation) => storableJson(Recommendation.columns(one))

/**
 * What was judged takes the place of what stood: what is recommended again keeps its age, what holds now is applied, and what
 * was judged and is not recommended is no longer. What could not be judged stands as it is.
 */
export const write = (
  sql: PgClient.PgClient,
  service: string,
  evaluation: Recommendation.Evaluation,
  config: Recommendation.Configuration
) =>
  sql`
    WITH given AS (
      SELECT * FROM jsonb_to_recordset(${sql.json(evaluation.recommendations.map(toRow))}) AS row (
        service_name text, rule text, priority text, reason text, current_config jsonb, recommended_config jsonb,
        action text, expected_effect text, evidence jsonb, confidence double precision
      )
    ), stands AS (
      INSERT INTO consumer_recommendations AS known (
        service_name, rule, priority, reason, current_config, recommended_config, action, expected_effect, evidence,
        confidence, created_at, updated_at
      )
      SELECT *, clock_timestamp(), clock_timestamp() FROM given
      ON CONFLICT (service_name, rule) DO UPDATE SET
        priority = EXCLUDED.priority, reason = EXCLUDED.reason, current_config = EXCLUDED.current_config,
        recommended_config = EXCLUDED.recommended_config, action = EXCLUDED.action,
        expected_effect = EXCLUDED.expected_effect, evidence = EXCLUDED.evidence, confidence = EXCLUDED.confidence,
        created_at = CASE WHEN known.resolved_at IS NULL THEN known.created_at ELSE EXCLUDED.created_at END,
        updated_at = EXCLUDED.updated_at, resolved_at = NULL, resolution = NULL
      RETURNING rule
    ), open AS (
      SELECT
        known.rule,
        known.recommended_config <> '{}' AND ${
    sql.json(storableJson(config))
  }::jsonb @> known.recommended_config AS is_applied
      FROM consumer_recommendations AS known
      WHERE known.service_name = ${storable(service)} AND known.resolved_at IS NULL
        AND known.rule NOT IN (SELECT rule FROM given)
    )
    UPDATE consumer_recommendations AS known SET
      resolved_at = clock_timestamp(), resolution = CASE WHEN is_applied THEN 'applied' ELSE 'no longer' END
    FROM open
    WHERE known.service_name = ${storable(service)} AND known.rule = open.rule
      AND (is_applied OR NOT (${sql.json(evaluation.undecided)}::jsonb ? open.rule))`
