/**
 * @since 0.1.0
 */
import * as Equal from "effect/Equal"
import * as Hash from "effect/Hash"

/**
 * One partition of one topic. Two values with the same topic and number are equal by `Equal.equals`, so they can be
 * keys of a `HashMap`; `key` serves for a plain `Map`.
 *
 * @category models
 * @since 0.1.0
 */
export class TopicPartition implements Equal.Equal {
  readonly topic: string
  readonly partition: number
  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }
  /** `topic-partition`, the way in which Kafka's own logs name it. Unique, since a partition is always a number. */
  get key(): string {
    return keyOf(this.topic, this.partition)
  }
  [Equal.symbol](that: unknown): boolean {
    return that instanceof TopicPartition && that.topic === this.topic && that.partition === this.partition
  }
  [Hash.symbol](): number {
    return Hash.string(this.key)
  }
  toString(): string {
    return this.key
  }
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const make = (topic: string, partition: number): TopicPartition => new TopicPartition(topic, partition)

/**
 * The `Map` key of a partition, for callers that hold no `TopicPartition`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const keyOf = (topic: string, partition: number): string => `${topic}-${partition}`

/**
 * A partition and an offset in it.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionOffset {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}
