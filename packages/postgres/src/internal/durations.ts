/**
 * The column `durations` of `consumer_processing_metrics`, into which whoever may write to the table can put any JSON: what is
 * no pair of numbers counts for nothing, as one such row would cost all others.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import type * as Histogram from "@weft/pipeline/Histogram"

const path = "strict $[*] ? (@[0].type() == \"number\" && @[1].type() == \"number\")"

/** A set of `pair`s for FROM; none of a column that holds no histogram, as the last argument has its errors silent. */
export const pairs = (sql: PgClient.PgClient) =>
  sql.literal(`jsonb_path_query(durations, '${path}', '{}', true) AS pair`)

const isPair = (value: unknown): boolean =>
  Array.isArray(value) && typeof value[0] === "number" && typeof value[1] === "number"

/** The same of a value that was read as it is. */
export const histogramOf = (value: unknown): Histogram.Histogram =>
  !Array.isArray(value) ? [] : value.every(isPair) ? value : value.filter(isPair)
