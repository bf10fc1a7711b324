/**
 * Reads a part of a log as it stands: without a group, without commits, and to an end. For looking at what is there, such
 * as dead letters; what has to be processed is the business of a `Consumer`.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as Admin from "./Admin.ts"
import { ConsumerRecord } from "./ConsumerRecord.ts"
import * as ConsumerSettings from "./ConsumerSettings.ts"
import type { FetchedBatch } from "./FetchedBatch.ts"
import { type KafkaError, TransportError } from "./KafkaError.ts"
import * as TopicPartition from "./TopicPartition.ts"
import { Transport } from "./Transport.ts"

/**
 * Offsets of one partition, from `from` (inclusive) to `to` (exclusive).
 *
 * @category models
 * @since 0.1.0
 */
export interface LogRange {
  readonly topic: string
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
}

/**
 * Of each range the youngest offsets, at most so many.
 *
 * @category combinators
 * @since 0.1.0
 */
export const youngest = (all: ReadonlyArray<LogRange>, last: number): ReadonlyArray<LogRange> =>
  all.map((range) => {
    const from = range.to - BigInt(last)
    return from > range.from ? { ...range, from } : range
  })

/**
 * What the partitions of these topics hold at this moment; with `last`, the {@link youngest} of it. Partitions that hold
 * nothing are left out.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ranges = Effect.fnUntraced(function*(
  topics: ReadonlyArray<string>,
  options: { readonly last?: number | undefined } = {}
) {
  const admin = yield* Admin.Admin
  const partitions = yield* Admin.partitionsOf(topics)
  const beginnings = yield* admin.listOffsets(partitions, "earliest")
  const ends = yield* admin.listOffsets(partitions, "latest")
  const endOf = new Map(ends.map((end) => [TopicPartition.keyOf(end.topic, end.partition), end.offset]))
  const all = beginnings.flatMap(({ offset, partition, topic }): ReadonlyArray<LogRange> => {
    const to = endOf.get(TopicPartition.keyOf(topic, partition)) ?? offset
    return offset < to ? [{ topic, partition, from: offset, to }] : []
  })
  return options.last === undefined ? all : youngest(all, options.last)
})

/** Batches of one partition that wait before its fetching pauses: the next one is on its way while one is read. */
const batchesAhead = 2

type Event =
  | { readonly _tag: "Batch"; readonly batch: FetchedBatch }
  | { readonly _tag: "OutOfRange"; readonly partition: TopicPartition.TopicPartition }

/**
 * The records of these ranges, in order within each partition; ends when all of them are read. Records that retention or
 * compaction has taken away meanwhile are passed over. Memory: some two fetches of `max.partition.fetch.bytes` (1 MiB)
 * for each partition.
 *
 * @category constructors
 * @since 0.1.0
 */
export const read = (all: ReadonlyArray<LogRange>): Stream.Stream<ConsumerRecord, KafkaError, Transport> =>
  all.length === 0 ? Stream.empty : Stream.unwrap(Effect.gen(function*() {
    const transport = yield* Transport
    const events = yield* Queue.unbounded<Event, KafkaError | Cause.Done>()
    const waiting = new Map(all.map((range) => [keyOf(range), 0]))
    const unread = new Map(all.map((range) => [keyOf(range), range]))

    const consumer = yield* transport.consumer({
      subscription: { _tag: "Manual", partitions: all.map(partitionOf) },
      settings: settings,
      handler: {
        onAssignment: () =>
          [...unread.values()].map(({ from, partition, topic }) => ({ topic, partition, offset: from })),
        onBatch: (batch) => {
          const key = TopicPartition.keyOf(batch.topic, batch.partition)
          const ahead = (waiting.get(key) ?? 0) + 1
          waiting.set(key, ahead)
          if (ahead >= batchesAhead) consumer.pause([TopicPartition.make(batch.topic, batch.partition)])
          Queue.offerUnsafe(events, { _tag: "Batch", batch })
        },
        onOutOfRange: (partition) => void Queue.offerUnsafe(events, { _tag: "OutOfRange", partition }),
        beforeRevoke: () => Effect.void,
        onLost: () => undefined,
        onAlive: () => undefined
      }
    })
    yield* Effect.forkScoped(consumer.run.pipe(
      Effect.catch((error) => Queue.fail(events, error)),
      // A defect of the library must not leave a reader that waits for ever.
      Effect.catchDefect((cause) =>
        Queue.fail(events, new TransportError({ transport: transport.name, reason: "defect", retriable: true, cause }))
      )
    ))

    const done = (partition: TopicPartition.TopicPartition) => {
      unread.delete(partition.key)
      consumer.pause([partition])
      if (unread.size === 0) Queue.endUnsafe(events)
    }

    const take = (batch: FetchedBatch): ReadonlyArray<ConsumerRecord> => {
      const partition = TopicPartition.make(batch.topic, batch.partition)
      const range = unread.get(partition.key)
      if (range === undefined) return []
      const ahead = waiting.get(partition.key)! - 1
      waiting.set(partition.key, ahead)
      const records: Array<ConsumerRecord> = []
      for (let index = 0; index < batch.count; index++) {
        const offset = batch.offset(index)
        if (offset >= range.from && offset < range.to) records.push(new ConsumerRecord(batch, index))
      }
      if (batch.nextOffset >= range.to) done(partition)
      else {
        unread.set(partition.key, { ...range, from: batch.nextOffset })
        if (ahead === batchesAhead - 1) consumer.resume([partition])
      }
      return records
    }

    /** Retention was faster: what is left begins later. Or the log ends before the range begins: then there is nothing. */
    const skip = Effect.fnUntraced(function*(partition: TopicPartition.TopicPartition) {
      const range = unread.get(partition.key)
      if (range === undefined) return
      const [beginning] = yield* consumer.listOffsets([partition], "earliest")
      if (beginning!.offset >= range.to || beginning!.offset < range.from) return done(partition)
      unread.set(partition.key, { ...range, from: beginning!.offset })
      consumer.start([beginning!])
    })

    return Stream.fromQueue(events).pipe(
      Stream.mapEffect((event) =>
        event._tag === "Batch" ? Effect.sync(() => take(event.batch)) : Effect.as(skip(event.partition), [])
      ),
      Stream.flattenIterable
    )
  }))

const keyOf = ({ partition, topic }: LogRange): string => TopicPartition.keyOf(topic, partition)

const partitionOf = ({ partition, topic }: LogRange) => TopicPartition.make(topic, partition)

/** Nothing is committed under this name. */
const settings = ConsumerSettings.make({
  groupId: "weft-log-reader",
  clientId: "weft-log-reader",
  fetchMaxWaitMs: 100,
  isolationLevel: "read_committed"
})
