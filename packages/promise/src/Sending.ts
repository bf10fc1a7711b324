/**
 * What is written to topics.
 *
 * @since 0.1.0
 */

/**
 * What is written: text and bytes as they are, `null` as a tombstone, anything else as JSON.
 *
 * @category models
 * @since 0.1.0
 */
export type SendValue = Uint8Array | string | null | object | number | boolean

/**
 * @category models
 * @since 0.1.0
 */
export interface SendOptions {
  /** It chooses the partition, as Kafka's own partitioner does. */
  readonly key?: Uint8Array | string | null | undefined
  readonly headers?: Readonly<Record<string, Uint8Array | string | null>> | undefined
  readonly partition?: number | undefined
  /** Milliseconds since 1970. Default: now. */
  readonly timestamp?: number | undefined
}
