/**
 * Writes records. Each is given its partition here, before the client library sees it, so that a retry never writes it
 * somewhere else.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { Header } from "./FetchedBatch.ts"
import { ofKey } from "./internal/partitioner.ts"
import { InvalidSettingError, isRetriable, type KafkaError, ProduceError, UnknownTopicError } from "./KafkaError.ts"
import { keyOf, type PartitionOffset } from "./TopicPartition.ts"
import { type OutgoingRecord, type ProducerSettings, Transport, type TransportProducer } from "./Transport.ts"

/**
 * A record to write. `value: null` is a tombstone. Without a partition, the key chooses it as Kafka's own partitioner
 * does (murmur2); without a key, records go round in runs.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProducerRecord {
  readonly topic: string
  readonly key?: Uint8Array | string | null | undefined
  readonly value: Uint8Array | string | null
  readonly headers?: ReadonlyArray<Header> | Readonly<Record<string, Uint8Array | string | null>> | undefined
  readonly partition?: number | undefined
  /** Milliseconds since 1970; default: now. */
  readonly timestamp?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface ProducerOptions extends Partial<ProducerSettings> {
  /**
   * The most bytes that go in one request, before compression. The broker refuses a record batch above the topic's
   * `max.message.bytes` (default 1048588), so it must be below that. Default 900000.
   */
  readonly batchBytes?: number | undefined
}

/**
 * A producer. Whatever is sent while a request is under way goes with the next one, so many concurrent `send`s cost few
 * requests; the order of records of one partition is the order in which they were sent.
 *
 * @category services
 * @since 0.1.0
 */
export class Producer extends Context.Service<Producer, {
  /**
   * Writes one record and answers where it is, once the broker has acknowledged it. Fails with `ProduceError`,
   * `UnknownTopicError`, `ConnectionError` and the like; then it is not known to be written.
   */
  readonly send: (record: ProducerRecord) => Effect.Effect<PartitionOffset, KafkaError>
  /** Writes many, in this order within each partition; answers in the same order. */
  readonly sendAll: (
    records: ReadonlyArray<ProducerRecord>
  ) => Effect.Effect<ReadonlyArray<PartitionOffset>, KafkaError>
}>()("@weft/kafka/Producer") {}

const defaults: ProducerSettings = {
  clientId: "weft",
  acks: -1,
  enableIdempotence: true,
  compressionType: "none",
  requestTimeoutMs: 30_000,
  retryBackoffMs: 100,
  deliveryTimeoutMs: 120_000
}

/**
 * Connects; what is still waiting when the scope closes is written first.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(
  options: ProducerOptions = {}
): Effect.fn.Return<Producer["Service"], KafkaError, Transport | Scope.Scope> {
  const { batchBytes = 900_000, ...given } = options
  const settings = { ...defaults, ...given }
  if (settings.enableIdempotence && settings.acks !== -1) {
    return yield* new InvalidSettingError({
      setting: "acks",
      value: settings.acks,
      reason: "must be -1 (all) where enable_idempotence is true"
    })
  }
  const transport = yield* (yield* Transport).producer(settings)
  const partitionOf = yield* makePartitioner(transport)
  const queue = yield* Queue.bounded<Pending, Cause.Done>(bufferRequests)

  const writer = yield* Effect.forkScoped(
    Effect.forever(
      Effect.flatMap(Queue.takeAll(queue), (pending) => Effect.forEach(requests(pending, batchBytes), write))
    )
  )
  // Registered last, so it runs first: what waits is written before the connection goes.
  yield* Effect.addFinalizer(() => Effect.andThen(Queue.end(queue), Fiber.await(writer)))

  /** One request for all of them. A record that the broker refuses for itself must not fail its neighbours. */
  const write = (pending: ReadonlyArray<Pending>): Effect.Effect<void> =>
    Effect.matchEffect(send(transport, pending), {
      onSuccess: () => Effect.void,
      onFailure: (error) =>
        pending.length === 1 || isRetriable(error)
          ? Effect.forEach(pending, (one) => Deferred.fail(one.done, error), { discard: true })
          : Effect.forEach(pending, (one) => write([one]), { discard: true })
    })

  const sendAll = (records: ReadonlyArray<ProducerRecord>) =>
    records.length === 0 ? Effect.succeed([]) : Effect.gen(function*() {
      const placed = new Array<Placed>(records.length)
      for (let i = 0; i < records.length; i++) {
        const record = records[i]!
        const chosen = partitionOf(record)
        const partition = typeof chosen === "number" ? chosen : yield* chosen
        placed[i] = { topic: record.topic, partition, record: outgoing(record) }
      }
      const waiting: Array<Pending> = []
      for (const part of parts(placed, batchBytes)) {
        const pending: Pending = { ...part, done: yield* Deferred.make<ReadonlyArray<PartitionOffset>, KafkaError>() }
        if (!(yield* Queue.offer(queue, pending))) return yield* closed(records[0]!.topic)
        waiting.push(pending)
      }
      if (waiting.length === 1) return yield* Deferred.await(waiting[0]!.done)
      return (yield* Effect.forEach(waiting, ({ done }) => Deferred.await(done))).flat()
    })
  return Producer.of({
    sendAll,
    send: (record) => Effect.map(sendAll([record]), (offsets) => offsets[0]!)
  })
})

const closed = (topic: string): ProduceError =>
  new ProduceError({
    topic,
    partition: undefined,
    code: "PRODUCER_CLOSED",
    retriable: false,
    cause: "the producer is closed"
  })

/** How many calls of `send` and `sendAll` may wait; further ones wait for room. */
const bufferRequests = 10_000

/** The most records of one request. */
const requestRecords = 5_000

interface Placed {
  readonly topic: string
  readonly partition: number
  readonly record: OutgoingRecord
}

/** Records of one call, and who waits for them. */
interface Pending extends Part {
  readonly done: Deferred.Deferred<ReadonlyArray<PartitionOffset>, KafkaError>
}

interface Part {
  readonly placed: ReadonlyArray<Placed>
  readonly bytes: number
}

/** The records of one call, cut where they are more than a request takes. */
const parts = (placed: ReadonlyArray<Placed>, batchBytes: number): ReadonlyArray<Part> => {
  const all: Array<Part> = []
  let start = 0
  let bytes = 0
  for (let i = 0; i < placed.length; i++) {
    const size = sizeOf(placed[i]!.record)
    if (i > start && (bytes + size > batchBytes || i - start === requestRecords)) {
      all.push({ placed: placed.slice(start, i), bytes })
      start = i
      bytes = 0
    }
    bytes += size
  }
  all.push({ placed: start === 0 ? placed : placed.slice(start), bytes })
  return all
}

/** At most this many bytes go around the key, the value and the headers of a record. */
const recordOverhead = 70

const sizeOf = ({ headers, key, value }: OutgoingRecord): number => {
  let bytes = recordOverhead + (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers) bytes += 10 + header.name.length * 3 + (header.value?.length ?? 0)
  return bytes
}

/** What waits, as requests: each has as many parts as fit, and at least one. */
const requests = (pending: ReadonlyArray<Pending>, batchBytes: number): ReadonlyArray<ReadonlyArray<Pending>> => {
  const all: Array<Array<Pending>> = [[]]
  let records = 0
  let bytes = 0
  for (const one of pending) {
    if (records > 0 && (records + one.placed.length > requestRecords || bytes + one.bytes > batchBytes)) {
      all.push([])
      records = 0
      bytes = 0
    }
    all[all.length - 1]!.push(one)
    records += one.placed.length
    bytes += one.bytes
  }
  return all
}

const send = (
  transport: TransportProducer,
  pending: ReadonlyArray<Pending>
): Effect.Effect<void, KafkaError> =>
  Effect.suspend(() => {
    const parts = new Map<string, { topic: string; partition: number; records: Array<OutgoingRecord> }>()
    for (const { placed } of pending) {
      for (const { partition, record, topic } of placed) {
        const key = keyOf(topic, partition)
        const part = parts.get(key)
        if (part === undefined) parts.set(key, { topic, partition, records: [record] })
        else part.records.push(record)
      }
    }
    return Effect.flatMap(transport.send([...parts.values()]), (bases) => {
      const next = new Map(bases.map((base) => [keyOf(base.topic, base.partition), base.offset]))
      return Effect.forEach(pending, ({ done, placed }) => {
        const offsets = placed.map(({ partition, topic }): PartitionOffset => {
          const key = keyOf(topic, partition)
          const offset = next.get(key) ?? -1n
          // With acks 0 the broker tells no offset: it stays -1.
          if (offset >= 0n) next.set(key, offset + 1n)
          return { topic, partition, offset }
        })
        return Deferred.succeed(done, offsets)
      }, { discard: true })
    })
  })

/**
 * The partition of a record: the one that it names, or its key's, or for records without a key one that changes with
 * each run of them (KIP-480: batches stay large). The counts are asked for once and again after five minutes.
 */
const makePartitioner = Effect.fnUntraced(function*(transport: TransportProducer) {
  const clock = yield* Clock.Clock
  const random = yield* Random.Random
  const topics = new Map<string, { count: number; at: number; sticky: number; run: number }>()
  const pick = (record: ProducerRecord, topic: { count: number; sticky: number; run: number }) => {
    if (record.partition !== undefined) {
      return record.partition < topic.count && record.partition >= 0
        ? record.partition
        : Effect.fail(new UnknownTopicError({ topic: record.topic, partition: record.partition }))
    }
    const key = bytesOf(record.key)
    if (key !== null) return ofKey(key, topic.count)
    if (++topic.run >= stickyRun) {
      topic.run = 0
      topic.sticky = (topic.sticky + 1) % topic.count
    }
    return topic.sticky
  }
  return (record: ProducerRecord): number | Effect.Effect<number, KafkaError> => {
    const known = topics.get(record.topic)
    const now = clock.currentTimeMillisUnsafe()
    if (known !== undefined && now - known.at < metadataMaxAgeMs) return pick(record, known)
    return Effect.flatMap(transport.partitionCount(record.topic), (count) => {
      const sticky = known === undefined ? Math.floor(random.nextDoubleUnsafe() * count) : known.sticky % count
      const topic = { count, at: now, sticky, run: known?.run ?? 0 }
      topics.set(record.topic, topic)
      const partition = pick(record, topic)
      return typeof partition === "number" ? Effect.succeed(partition) : partition
    })
  }
})

const metadataMaxAgeMs = 300_000
/** Records without a key that go to one partition before the next one has its turn. */
const stickyRun = 100

const bytesOf = (value: Uint8Array | string | null | undefined): Uint8Array | null =>
  typeof value === "string" ? Buffer.from(value, "utf8") : value ?? null

const outgoing = (record: ProducerRecord): OutgoingRecord => ({
  key: bytesOf(record.key),
  value: bytesOf(record.value),
  headers: headersOf(record.headers),
  timestamp: record.timestamp
})

const noHeaders: ReadonlyArray<Header> = []

const headersOf = (headers: ProducerRecord["headers"]): ReadonlyArray<Header> => {
  if (headers === undefined) return noHeaders
  if (isHeaderList(headers)) return headers
  return Object.entries(headers).map(([name, value]) => ({ name, value: bytesOf(value) }))
}

const isHeaderList = (headers: NonNullable<ProducerRecord["headers"]>): headers is ReadonlyArray<Header> =>
  Array.isArray(headers)

/**
 * Writes one record; see {@link Producer}.
 *
 * @category accessors
 * @since 0.1.0
 */
export const sendOne = (record: ProducerRecord): Effect.Effect<PartitionOffset, KafkaError, Producer> =>
  Effect.flatMap(Producer, (producer) => producer.send(record))

/**
 * Writes many records; see {@link Producer}.
 *
 * @category accessors
 * @since 0.1.0
 */
export const sendAll = (
  records: ReadonlyArray<ProducerRecord>
): Effect.Effect<ReadonlyArray<PartitionOffset>, KafkaError, Producer> =>
  Effect.flatMap(Producer, (producer) => producer.sendAll(records))

/**
 * A producer as a Layer, on any {@link Transport}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: ProducerOptions): Layer.Layer<Producer, KafkaError, Transport> =>
  Layer.effect(Producer, make(options))
