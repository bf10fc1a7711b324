/**
 * Dead letters: records that could not be processed, kept as they are in a topic of their own, with the reason in their
 * headers.
 *
 * **Details**
 *
 * Key, value and headers are the record's own bytes, its partition is kept (modulo the partitions of the dead-letter
 * topic). Its timestamp is kept in a header: the dead letter's own is when it was written, or else the retention of the
 * dead-letter topic would delete at once what comes from an old record. The headers have the names and the encodings of
 * Spring's `DeadLetterPublishingRecoverer`, so that its tools read them: numbers are big-endian, `-partition` and
 * `kafka_deliveryAttempt` in 4 bytes, `-offset` and `-timestamp` in 8; everything else is UTF-8 text. The `fqcn` headers
 * hold the `_tag` of an error, or the name of its class. Where a dead letter is too large for its topic, the message and
 * the stack trace are left out.
 *
 * @since 0.1.0
 */
import type { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import type { Header } from "@weft/kafka/FetchedBatch"

/**
 * @category constants
 * @since 0.1.0
 */
export const headerNames = {
  originalTopic: "kafka_dlt-original-topic",
  originalPartition: "kafka_dlt-original-partition",
  originalOffset: "kafka_dlt-original-offset",
  originalTimestamp: "kafka_dlt-original-timestamp",
  originalTimestampType: "kafka_dlt-original-timestamp-type",
  originalConsumerGroup: "kafka_dlt-original-consumer-group",
  exceptionFqcn: "kafka_dlt-exception-fqcn",
  exceptionCauseFqcn: "kafka_dlt-exception-cause-fqcn",
  exceptionMessage: "kafka_dlt-exception-message",
  exceptionStacktrace: "kafka_dlt-exception-stacktrace",
  deliveryAttempt: "kafka_deliveryAttempt"
} as const

/**
 * What the headers of a dead letter say.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadLetterInfo {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  /** Milliseconds since 1970; -1 where the record had none. */
  readonly timestamp: number
  readonly timestampType: string
  readonly consumerGroup: string
  readonly exception: string
  readonly exceptionCause: string | undefined
  readonly message: string
  readonly stacktrace: string
  /** How often the record was attempted. */
  readonly attempts: number
}

const ours: ReadonlySet<string> = new Set(Object.values(headerNames))

/**
 * The headers of a dead letter: the record's own, then those that say why. Where the record was a dead letter before,
 * its earlier reasons are replaced.
 *
 * @category combinators
 * @since 0.1.0
 */
export const headers = (original: ReadonlyArray<Header>, info: DeadLetterInfo): ReadonlyArray<Header> => [
  ...original.filter(({ name }) => !ours.has(name)),
  text(headerNames.originalTopic, info.topic),
  int32(headerNames.originalPartition, info.partition),
  int64(headerNames.originalOffset, info.offset),
  int64(headerNames.originalTimestamp, wholeMs(info.timestamp)),
  text(headerNames.originalTimestampType, info.timestampType),
  text(headerNames.originalConsumerGroup, info.consumerGroup),
  text(headerNames.exceptionFqcn, info.exception),
  ...(info.exceptionCause === undefined ? [] : [text(headerNames.exceptionCauseFqcn, info.exceptionCause)]),
  text(headerNames.exceptionMessage, info.message),
  text(headerNames.exceptionStacktrace, info.stacktrace),
  int32(headerNames.deliveryAttempt, info.attempts)
]

/**
 * Reads the headers of a dead letter, ours or Spring's; `undefined` where the record is none.
 *
 * @category combinators
 * @since 0.1.0
 */
export const read = (record: ConsumerRecord): DeadLetterInfo | undefined => {
  const topic = record.headerText(headerNames.originalTopic)
  const partition = number(record.header(headerNames.originalPartition))
  const offset = number(record.header(headerNames.originalOffset))
  if (topic === undefined || partition === undefined || offset === undefined) return undefined
  return {
    topic,
    partition: Number(partition),
    offset,
    timestamp: Number(number(record.header(headerNames.originalTimestamp)) ?? -1n),
    timestampType: record.headerText(headerNames.originalTimestampType) ?? "",
    consumerGroup: record.headerText(headerNames.originalConsumerGroup) ?? "",
    exception: record.headerText(headerNames.exceptionFqcn) ?? "",
    exceptionCause: record.headerText(headerNames.exceptionCauseFqcn),
    message: record.headerText(headerNames.exceptionMessage) ?? "",
    stacktrace: record.headerText(headerNames.exceptionStacktrace) ?? "",
    attempts: Number(number(record.header(headerNames.deliveryAttempt)) ?? 0n)
  }
}

const text = (name: string, value: string): Header => ({ name, value: Buffer.from(value, "utf8") })

const int32 = (name: string, value: number): Header => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return { name, value: bytes }
}

const int64 = (name: string, value: bigint): Header => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return { name, value: bytes }
}

const largest = 2n ** 63n - 1n

/** A producer may claim any time, up to one that is more than 64 bits once it was a number. */
const wholeMs = (ms: number): bigint => {
  if (!Number.isFinite(ms)) return -1n
  const whole = BigInt(Math.trunc(ms))
  return whole > largest ? largest : whole < -largest - 1n ? -largest - 1n : whole
}

const number = (bytes: Uint8Array | null | undefined): bigint | undefined => {
  if (bytes === null || bytes === undefined) return undefined
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return bytes.length === 4 ? BigInt(view.readInt32BE()) : bytes.length === 8 ? view.readBigInt64BE() : undefined
}
