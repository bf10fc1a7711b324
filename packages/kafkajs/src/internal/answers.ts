/**
 * What the brokers answer to a fetch, by one of two decoders. Ours reads the bytes of the records in place; kafkajs's makes
 * objects of all of them, and is there for the message formats before version 2, for brokers that do not know the version
 * of the request, and for whoever asks for it.
 */
import type { FetchedBatch } from "@weft/kafka/FetchedBatch"
import type { Decoder, Decoding } from "@weft/kafka/RecordBatch"
import * as RecordBatchDecoder from "@weft/kafka/RecordBatchDecoder"
import * as Effect from "effect/Effect"
import { attempt } from "./clusterClient.ts"
import { crc32c, decompressors } from "./codecs.ts"
import type { Failure } from "./errorMap.ts"
import { fetchKey, type FetchOptions, fetchRequest, fetchVersion, type RawPartition } from "./fetchRequest.ts"
import { type Broker, canSend, decodeMessageSet, type FetchedPartition, send } from "./inside.ts"
import { fromFetch } from "./messagesBatch.ts"

export type DecoderName = "weft" | "kafkajs"

export interface DecoderPlan {
  readonly name: DecoderName
  readonly checkCrcs: boolean
}

/** What came for one partition. */
export interface AnsweredPartition {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  /** The records from this position on. */
  readonly open: (position: bigint) => Decoding
}

export interface Answer {
  readonly errorCode: number
  readonly partitions: ReadonlyArray<AnsweredPartition>
}

export type Fetch = (broker: Broker, options: FetchOptions) => Effect.Effect<Answer, Failure>

export const makeFetch = (plan: DecoderPlan, isolationLevel: 0 | 1): Fetch => {
  const decoder = RecordBatchDecoder.make({
    isolationLevel: isolationLevel === 1 ? "read_committed" : "read_uncommitted",
    decompressors,
    checkCrcs: plan.checkCrcs,
    crc32c: plan.checkCrcs ? crc32c() : undefined
  })
  let usesOwn = plan.name === "weft"
  const giveUp = (why: string): Effect.Effect<void> => {
    usesOwn = false
    return Effect.logWarning(`records are decoded by kafkajs from now on, which is slower: ${why}`)
  }
  return (broker, options) => {
    if (!usesOwn) return fetchDecoded(broker, options)
    if (!canSend(broker, fetchKey, fetchVersion)) {
      return Effect.andThen(
        giveUp(`the broker does not know version ${fetchVersion} of the request, or kafkajs is not as expected`),
        fetchDecoded(broker, options)
      )
    }
    return Effect.catchIf(
      fetchRaw(decoder, broker, options),
      // Neither the broker nor the connection said so: it is about the bytes, or about what is between them and us.
      (failure) => failure._tag === "Other",
      (failure) => Effect.andThen(giveUp(String(failure.cause)), fetchDecoded(broker, options))
    )
  }
}

const fetchRaw = Effect.fnUntraced(function*(
  decoder: Decoder,
  broker: Broker,
  options: FetchOptions
): Effect.fn.Return<Answer, Failure> {
  const answer = yield* attempt(() => send(broker, fetchRequest(options)))
  const { errorCode, partitions } = answer!
  const total = partitions.reduce((bytes, { records }) => bytes + records.length, 0)
  const answered: Array<AnsweredPartition> = []
  for (const one of partitions) {
    answered.push(isMessageSet(one) ? yield* fromMessageSet(one, options) : fromBytes(decoder, one, options, total))
  }
  return { errorCode, partitions: answered }
})

/** A partition with less of the answer than this keeps none of it alive. */
const largestShare = 0.5

const fromBytes = (
  decoder: Decoder,
  { errorCode, partition, topic, ...raw }: RawPartition,
  { isolationLevel }: FetchOptions,
  total: number
): AnsweredPartition => ({
  topic,
  partition,
  errorCode,
  open: (position) =>
    decoder.open({
      topic,
      partition,
      fetchOffset: position,
      highWatermark: isolationLevel === 1 ? raw.lastStableOffset : raw.highWatermark,
      abortedTransactions: raw.abortedTransactions,
      records: raw.records,
      copy: raw.records.length < largestShare * total
    })
})

const magicAt = 16

const isMessageSet = ({ records }: RawPartition): boolean => records.length > magicAt && records.readInt8(magicAt) < 2

const fromMessageSet = (raw: RawPartition, options: FetchOptions): Effect.Effect<AnsweredPartition, Failure> =>
  Effect.map(attempt(() => decodeMessageSet(raw.records)), (messages) =>
    fromMessages(raw.topic, {
      partition: raw.partition,
      errorCode: raw.errorCode,
      highWatermark: String(raw.highWatermark),
      lastStableOffset: String(raw.lastStableOffset),
      messages
    }, options))

const fetchDecoded = (broker: Broker, options: FetchOptions): Effect.Effect<Answer, Failure> =>
  Effect.map(
    attempt(() =>
      broker.fetch({
        isolationLevel: options.isolationLevel,
        maxWaitTime: options.maxWaitMs,
        minBytes: options.minBytes,
        maxBytes: options.maxBytes,
        topics: options.partitions.map(({ maxBytes, partition, position, topic }) => ({
          topic,
          partitions: [{ partition, fetchOffset: position.toString(), maxBytes }]
        }))
      })
    ),
    ({ errorCode = 0, responses }) => ({
      errorCode,
      partitions: responses.flatMap(({ partitions, topicName }) =>
        partitions.map((one) => fromMessages(topicName, one, options))
      )
    })
  )

const fromMessages = (
  topic: string,
  fetched: FetchedPartition,
  { isolationLevel }: FetchOptions
): AnsweredPartition => ({
  topic,
  partition: fetched.partition,
  errorCode: fetched.errorCode,
  open: (position) => new DecodedAlready(fromFetch(topic, fetched, position, isolationLevel), position)
})

/** One batch, or none. */
class DecodedAlready implements Decoding {
  private batch: FetchedBatch | undefined
  readonly nextOffset: bigint
  readonly stop = undefined
  constructor(batch: FetchedBatch | undefined, position: bigint) {
    this.batch = batch
    this.nextOffset = batch?.nextOffset ?? position
  }
  get isDone(): boolean {
    return this.batch === undefined
  }
  next(): FetchedBatch | undefined {
    const { batch } = this
    this.batch = undefined
    return batch
  }
  detach(): void {}
}
