/**
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type { TopicPartition } from "./TopicPartition.ts"

/**
 * What a consumer reads: topics by name, topics by pattern (new ones are picked up every `metadata_max_age_ms`), or
 * partitions named one by one, outside of the group's own assignment.
 *
 * @category models
 * @since 0.1.0
 */
export type Subscription = Data.TaggedEnum<{
  Topics: { readonly topics: ReadonlyArray<string> }
  Pattern: { readonly pattern: RegExp }
  Manual: { readonly partitions: ReadonlyArray<TopicPartition> }
}>

const { Manual, Pattern, Topics, $match } = Data.taggedEnum<Subscription>()

/**
 * Topics by name; the group shares out their partitions.
 *
 * @category constructors
 * @since 0.1.0
 */
export const topics = (...topics: ReadonlyArray<string>): Subscription => Topics({ topics })

/**
 * Every topic whose whole name matches, now and later. Kafka's internal topics (`__...`) never match.
 *
 * @category constructors
 * @since 0.1.0
 */
export const pattern = (pattern: RegExp): Subscription => Pattern({ pattern })

/**
 * These partitions and no others, without a share-out. The group id still names where offsets are committed. All
 * members of such a group must assign by hand.
 *
 * @category constructors
 * @since 0.1.0
 */
export const manual = (...partitions: ReadonlyArray<TopicPartition>): Subscription => Manual({ partitions })

/**
 * @category pattern matching
 * @since 0.1.0
 */
export const match = $match

/**
 * Which of the cluster's topics a pattern means.
 *
 * @category combinators
 * @since 0.1.0
 */
export const matching = (pattern: RegExp, names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const whole = new RegExp(`^(?:${pattern.source})$`, pattern.flags.replace(/[gy]/g, ""))
  return names.filter((name) => !name.startsWith("__") && whole.test(name)).sort()
}
