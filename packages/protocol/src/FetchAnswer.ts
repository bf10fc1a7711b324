/**
 * What the brokers answer to a fetch, and the fetch whose records are decoded here: lazily, in place, whichever client
 * library brought the bytes.
 *
 * @since 0.1.0
 */
import type { Decoder, Decoding } from "@weft/kafka/RecordBatch"
import * as RecordBatchDecoder from "@weft/kafka/RecordBatchDecoder"
import * as Effect from "effect/Effect"
import type { Broker } from "./Client.ts"
import type { Failure } from "./Failure.ts"
import type { RawPartition } from "./FetchLayout.ts"
import { type FetchOptions, fetchRequest } from "./FetchRequest.ts"
import { crc32c, decompressors } from "./internal/codecs.ts"

/**
 * What came for one partition, its records not yet decoded.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnsweredPartition {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  /** Of its records as they came; 0 where that is not known. */
  readonly bytes: number
  /** The records from this position on. */
  readonly open: (position: bigint) => Decoding
}

/**
 * What a broker answered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer {
  readonly errorCode: number
  readonly partitions: ReadonlyArray<AnsweredPartition>
}

/**
 * One fetch from a broker. It fails with what was said of the whole request; what was said of one partition is in the
 * answer.
 *
 * @category models
 * @since 0.1.0
 */
export type Fetch<B extends Broker = Broker> = (broker: B, options: FetchOptions) => Effect.Effect<Answer, Failure>

/**
 * `decodeMessageSet` reads the message formats before version 2, for libraries that can; else they come out as what the
 * decoder stops at.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <B extends Broker>(options: {
  readonly isolationLevel: 0 | 1
  /** `check.crcs`. */
  readonly checkCrcs: boolean
  readonly classify: (thrown: unknown) => Failure
  readonly decodeMessageSet?: (
    raw: RawPartition,
    options: FetchOptions
  ) => Effect.Effect<AnsweredPartition, Failure>
}): Fetch<B> => {
  const { checkCrcs, classify, decodeMessageSet, isolationLevel } = options
  const decoder = RecordBatchDecoder.make({
    isolationLevel: isolationLevel === 1 ? "read_committed" : "read_uncommitted",
    decompressors,
    checkCrcs,
    crc32c: checkCrcs ? crc32c() : undefined
  })
  return Effect.fnUntraced(function*(broker, wanted) {
    const answer = yield* Effect.tryPromise({ try: () => broker.send(fetchRequest(wanted)), catch: classify })
    const { errorCode, partitions } = answer!
    const answered: Array<AnsweredPartition> = []
    for (const one of partitions) {
      answered.push(
        decodeMessageSet !== undefined && isMessageSet(one)
          ? yield* decodeMessageSet(one, wanted)
          : fromBytes(decoder, one, wanted)
      )
    }
    return { errorCode, partitions: answered }
  })
}

/** A partition with less of its memory than this, and others with the rest, keeps none of it alive. */
const smallestShare = 0.5

const isSmallShare = ({ buffer, length }: Buffer): boolean => length < smallestShare * buffer.byteLength

const fromBytes = (
  decoder: Decoder,
  { errorCode, partition, topic, ...raw }: RawPartition,
  { isolationLevel }: FetchOptions
): AnsweredPartition => ({
  topic,
  partition,
  errorCode,
  bytes: raw.records.length,
  open: (position) =>
    decoder.open({
      topic,
      partition,
      fetchOffset: position,
      highWatermark: isolationLevel === 1 ? raw.lastStableOffset : raw.highWatermark,
      abortedTransactions: raw.abortedTransactions,
      records: raw.records,
      copy: isSmallShare(raw.records)
    })
})

const magicAt = 16

const isMessageSet = ({ records }: RawPartition): boolean => records.length > magicAt && records.readInt8(magicAt) < 2
