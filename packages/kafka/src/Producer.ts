/**
 * Writes records. Each is given its partition here, before the client library sees it, so that a retry never writes it
 * somewhere else.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { Header } from "./FetchedBatch.ts"
import { ofKey } from "./internal/partitioner.ts"
import { SendMetrics } from "./internal/sendMetrics.ts"
import { InvalidSettingError, type KafkaError, ProduceError, UnknownTopicError } from "./KafkaError.ts"
import { keyOf, type PartitionOffset } from "./TopicPartition.ts"
import {
  type OutgoingRecord,
  type PartitionRecords,
  type ProducerSettings,
  Transport,
  type TransportProducer
} from "./Transport.ts"

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
   * The most bytes of one partition that go together, before compression. The broker refuses a record batch above the
   * topic's `max.message.bytes` (default 1048588), so it must be below that. Default 900000.
   */
  readonly batchBytes?: number | undefined
}

/**
 * A producer. Transports send together what waits for the same broker, so many concurrent `send`s cost few requests; the
 * order of records of one partition is the order in which they were sent. What fails fails alone.
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
  const idle = yield* Latch.make(true)
  const clock = yield* Clock.Clock
  const metrics = new SendMetrics(yield* Effect.context<never>())
  let sending = 0
  let closed = false
  // Registered after the transport, so it runs before: what is under way is written before the connection goes.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      return idle.await
    })
  )

  const counted = <A>(
    records: ReadonlyArray<ProducerRecord>,
    effect: Effect.Effect<A, KafkaError>
  ): Effect.Effect<A, KafkaError> =>
    // Between the count and what takes it back nothing may be interrupted, or the producer would wait for it at its end.
    Effect.uninterruptibleMask((restore) => {
      sending++
      idle.closeUnsafe()
      const begin = clock.currentTimeMillisUnsafe()
      return Effect.onExit(restore(effect), (exit) =>
        Effect.sync(() => {
          if (--sending === 0) idle.openUnsafe()
          const error = Exit.isFailure(exit) ? Cause.findErrorOption(exit.cause) : Option.none()
          // What was interrupted, or died, is not known to have been sent.
          if (Exit.isFailure(exit) && Option.isNone(error)) return
          metrics.sent(records, clock.currentTimeMillisUnsafe() - begin, Option.getOrUndefined(error))
        }))
    })

  const place = Effect.fnUntraced(function*(records: ReadonlyArray<ProducerRecord>) {
    const placed = new Array<Placed>(records.length)
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!
      const chosen = partitionOf(record)
      const partition = typeof chosen === "number" ? chosen : yield* chosen
      placed[i] = { topic: record.topic, partition, record: outgoing(record) }
    }
    return placed
  })

  const sendAll = (
    records: ReadonlyArray<ProducerRecord>
  ): Effect.Effect<ReadonlyArray<PartitionOffset>, KafkaError> =>
    Effect.suspend(() => {
      if (closed) return closedError(records[0]?.topic ?? "")
      if (records.length === 0) return Effect.succeed([])
      return counted(
        records,
        Effect.flatMap(place(records), (placed) => {
          const { numbers, parts } = partsOf(placed, batchBytes)
          return Effect.map(transport.send(parts), (bases) =>
            placed.map(({ partition, topic }, i): PartitionOffset => {
              const { index, part } = numbers[i]!
              const base = bases[part]!.offset
              // With acks 0 the broker tells no offset: it stays -1.
              return { topic, partition, offset: base < 0n ? base : base + BigInt(index) }
            }))
        })
      )
    })

  /** What `sendAll` does with one record, without what only many need: programs send most of theirs one by one. */
  const send = (record: ProducerRecord): Effect.Effect<PartitionOffset, KafkaError> =>
    Effect.suspend(() => {
      const { topic } = record
      if (closed) return closedError(topic)
      const chosen = partitionOf(record)
      const sendTo = (partition: number): Effect.Effect<PartitionOffset, KafkaError> =>
        Effect.map(transport.send([{ topic, partition, records: [outgoing(record)] }]), ([written]) => written!)
      return counted([record], typeof chosen === "number" ? sendTo(chosen) : Effect.flatMap(chosen, sendTo))
    })

  return Producer.of({ sendAll, send })
})

const closedError = (topic: string): ProduceError =>
  new ProduceError({
    topic,
    partition: undefined,
    code: "PRODUCER_CLOSED",
    retriable: false,
    cause: "the producer is closed"
  })

interface Placed {
  readonly topic: string
  readonly partition: number
  readonly record: OutgoingRecord
}

/** At most this many bytes go around the key, the value and the headers of a record. */
const recordOverhead = 70

const sizeOf = ({ headers, key, value }: OutgoingRecord): number => {
  let bytes = recordOverhead + (key?.length ?? 0) + (value?.length ?? 0)
  for (const header of headers) bytes += 10 + header.name.length * 3 + (header.value?.length ?? 0)
  return bytes
}

/** The records of each partition, in order, in parts that a broker takes; and for each record its place in them. */
const partsOf = (placed: ReadonlyArray<Placed>, batchBytes: number): {
  readonly parts: ReadonlyArray<PartitionRecords>
  readonly numbers: ReadonlyArray<{ readonly part: number; readonly index: number }>
} => {
  const parts: Array<PartitionRecords & { readonly records: Array<OutgoingRecord> }> = []
  const open = new Map<string, { part: number; bytes: number }>()
  const numbers = placed.map(({ partition, record, topic }) => {
    const key = keyOf(topic, partition)
    const size = sizeOf(record)
    let current = open.get(key)
    if (current === undefined || current.bytes + size > batchBytes) {
      current = { part: parts.length, bytes: 0 }
      open.set(key, current)
      parts.push({ topic, partition, records: [] })
    }
    current.bytes += size
    return { part: current.part, index: parts[current.part]!.records.push(record) - 1 }
  })
  return { parts, numbers }
}

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
