/**
 * What the brokers answer to a fetch, by one of two decoders. Ours reads the bytes of the records in place; kafkajs's makes
 * objects of all of them, and is there for the message formats before version 2, for brokers that do not know the version
 * of the request, and for whoever asks for it.
 */
import type { FetchedBatch } from "@weft/kafka/FetchedBatch"
import type { Decoding } from "@weft/kafka/RecordBatch"
import * as FetchAnswer from "@weft/protocol/FetchAnswer"
import type { Answer, AnsweredPartition, Fetch } from "@weft/protocol/FetchAnswer"
import type { Failure } from "@weft/protocol/Failure"
import type { RawPartition } from "@weft/protocol/FetchLayout"
import { fetchKey, type FetchOptions, fetchVersion } from "@weft/protocol/FetchRequest"
import * as Effect from "effect/Effect"
import type { KafkaJsBroker } from "./broker.ts"
import { classify } from "./errorMap.ts"
import { canSend, decodeMessageSet, type FetchedPartition } from "./inside.ts"
import { fromFetch } from "./messagesBatch.ts"

export type DecoderName = "weft" | "kafkajs"

export interface DecoderPlan {
  readonly name: DecoderName
  readonly checkCrcs: boolean
}

export const makeFetch = (plan: DecoderPlan, isolationLevel: 0 | 1): Fetch<KafkaJsBroker> => {
  const fetchRaw: Fetch<KafkaJsBroker> = FetchAnswer.make({
    isolationLevel,
    checkCrcs: plan.checkCrcs,
    classify,
    decodeMessageSet: fromMessageSet
  })
  let usesOwn = plan.name === "weft"
  const giveUp = (why: string): Effect.Effect<void> => {
    usesOwn = false
    return Effect.logWarning(`records are decoded by kafkajs from now on, which is slower: ${why}`)
  }
  return (broker, options) => {
    if (!usesOwn) return fetchDecoded(broker, options)
    if (!canSend(broker.raw, fetchKey, fetchVersion)) {
      return Effect.andThen(
        giveUp(`the broker does not know version ${fetchVersion} of the request, or kafkajs is not as expected`),
        fetchDecoded(broker, options)
      )
    }
    return Effect.catchIf(
      fetchRaw(broker, options),
      // Neither the broker nor the connection said so: it is about the bytes, or about what is between them and us.
      (failure) => failure._tag === "Other",
      (failure) => Effect.andThen(giveUp(String(failure.cause)), fetchDecoded(broker, options))
    )
  }
}

const attempt = <A>(request: () => Promise<A>): Effect.Effect<A, Failure> =>
  Effect.tryPromise({ try: request, catch: classify })

const fromMessageSet = (raw: RawPartition, options: FetchOptions): Effect.Effect<AnsweredPartition, Failure> =>
  Effect.map(attempt(() => decodeMessageSet(raw.records)), (messages) =>
    fromMessages(raw.topic, {
      partition: raw.partition,
      errorCode: raw.errorCode,
      highWatermark: String(raw.highWatermark),
      lastStableOffset: String(raw.lastStableOffset),
      messages
    }, options))

const fetchDecoded = (broker: KafkaJsBroker, options: FetchOptions): Effect.Effect<Answer, Failure> =>
  Effect.map(
    attempt(() =>
      broker.raw.fetch({
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
  bytes: 0,
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
