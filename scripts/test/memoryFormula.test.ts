import { assert, describe, it } from "@effect/vitest"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import type { FetchedBatch } from "@weft/kafka/FetchedBatch"
import * as RecordBatchDecoder from "@weft/kafka/RecordBatchDecoder"
import { encodeBatch, encodeRecords } from "@weft/protocol/RecordBatchEncoder"
import * as fc from "fast-check"
import { aliveBytes, allowedBytes, type Load, mebibyte } from "../memoryFormula.ts"

const load = (change: Partial<Load> = {}): Load => ({
  settings: ConsumerSettings.make({ groupId: "memory" }),
  partitions: 4,
  brokers: 1,
  bytes: 200,
  ...change
})

const whole = (bytes: number) => Math.round(bytes / mebibyte)

describe("the memory formula", () => {
  it("is that of the partitions while they are few: a queue, one answer on its way, and one that records in flight keep", () => {
    // The positions of the records are an eighth of them.
    assert.strictEqual(aliveBytes(load({ bytes: 184 })), 4 * ((2 + 2 * 9 / 8) * mebibyte + 2 * 100 * (184 + 30 + 24)))
    assert.strictEqual(whole(aliveBytes(load())), 17)
    assert.strictEqual(whole(allowedBytes(load())), 150)
  })

  it("is that of all queues together when they are many, and then grows by what is in flight alone", () => {
    const many = load({ partitions: 64, bytes: 500 })
    assert.strictEqual(whole(aliveBytes(many)), 226)
    assert.strictEqual(whole(allowedBytes(many)), 422)
    const more = (aliveBytes(load({ partitions: 1_064, bytes: 500 })) - aliveBytes(many)) / 1_000
    assert.closeTo(more, 2 * 100 * (500 + 54) + mebibyte * (1 + 24 / 508), 1)
  })

  it("counts an answer of each broker", () => {
    const settings = ConsumerSettings.make({ groupId: "memory" })
    const of = (brokers: number) => aliveBytes(load({ settings, partitions: 1_000, brokers, bytes: 184 }))
    assert.strictEqual(of(3) - of(1), 2 * settings.fetchMaxBytes * 9 / 8)
  })
})

/** A log of record batches of one size, which a broker reads out as Kafka does: the last batch is cut off, the first never. */
class Log {
  readonly end: bigint
  private readonly bytes: Buffer
  private readonly batchBytes: number
  private readonly batchRecords: number
  constructor({ batchRecords, batches, bytes }: { batchRecords: number; batches: number; bytes: number }) {
    const record = { key: Buffer.from("k123"), value: Buffer.alloc(bytes), headers: [], timestamp: undefined }
    const batch = encodeBatch(encodeRecords(Array.from({ length: batchRecords }, () => record), 0), {
      compression: "none",
      producerId: -1n,
      producerEpoch: -1,
      baseSequence: -1
    })
    this.end = BigInt(batches * batchRecords)
    this.batchRecords = batchRecords
    this.batchBytes = batch.length
    this.bytes = Buffer.concat(Array.from({ length: batches }, (_, i) => {
      batch.writeBigInt64BE(BigInt(i * batchRecords), 0)
      return Buffer.from(batch)
    }))
  }
  /** In memory of its own, as transports read it. */
  fetch(position: bigint, maxBytes: number): Buffer {
    const from = Math.floor(Number(position) / this.batchRecords) * this.batchBytes
    const part = this.bytes.subarray(from, from + Math.max(maxBytes, this.batchBytes))
    const own = Buffer.allocUnsafeSlow(part.length)
    part.copy(own)
    return own
  }
}

/** What each of them keeps in memory, what they share counted once. */
const keptBy = (batches: ReadonlySet<FetchedBatch>): number => {
  const buffers = new Set<ArrayBufferLike>()
  let positions = 0
  for (const batch of batches) {
    buffers.add(batch.value(0)!.buffer.buffer)
    positions += batch.count * 24
  }
  return [...buffers].reduce((sum, { byteLength }) => sum + byteLength, positions)
}

/** The most that a slow pipeline keeps of one partition while it reads a log: fetches come at once, and are never late. */
const mostKept = ({ batchRecords, bytes, settings }: Required<Load>): number => {
  const limits = ConsumerSettings.queueLimits(settings)
  const window = 2 * settings.maxPollRecords
  const enough = 3 * (window * (bytes + 54) + limits.partitionBytes + settings.maxPartitionFetchBytes)
  const log = new Log({ batchRecords, bytes, batches: Math.ceil(enough / (batchRecords * bytes)) })
  const decoder = RecordBatchDecoder.make({ isolationLevel: "read_uncommitted", checkCrcs: false })
  let queue: ReadonlyArray<FetchedBatch> = []
  /** Of the first batch, how many records were taken. */
  let taken = 0
  /** The batch of each record. */
  let inFlight: ReadonlyArray<FetchedBatch> = []
  let position = 0n
  let isFetching = true
  let most = 0
  const queued = () => queue.reduce((sum, { byteLength }) => sum + byteLength, 0)
  const fetch = (): void => {
    const records = log.fetch(position, settings.maxPartitionFetchBytes)
    const place = { topic: "t", partition: 0, fetchOffset: position, highWatermark: 0n }
    const { batches, nextOffset } = decoder.decode({ ...place, records })
    queue = [...queue, ...batches]
    position = nextOffset
    isFetching = position < log.end && queued() < limits.partitionBytes
  }
  const take = (): void => {
    const [batch] = queue
    const to = Math.min(batch!.count, taken + window - inFlight.length)
    inFlight = [...inFlight, ...Array.from({ length: to - taken }, () => batch!)]
    taken = to
    if (to < batch!.count) return
    queue = queue.slice(1)
    taken = 0
    isFetching = position < log.end && queued() <= limits.partitionBytes / 2
  }
  do {
    while (isFetching) fetch()
    while (inFlight.length < window && queue.length > 0) {
      take()
      while (isFetching) fetch()
    }
    most = Math.max(most, keptBy(new Set([...queue, ...inFlight])))
    inFlight = inFlight.slice(1)
  } while (queue.length > 0)
  return most
}

const kept = ({ batchRecords, bytes, ...settings }: Shape) => {
  const load = { settings: ConsumerSettings.make({ groupId: "memory", ...settings }), partitions: 1, brokers: 1, bytes }
  return {
    most: mostKept({ ...load, batchRecords }),
    formula: aliveBytes({ ...load, batchRecords }),
    ofSmallBatches: aliveBytes(load)
  }
}

interface Shape extends Partial<ConsumerSettings.ConsumerSettings> {
  readonly bytes: number
  readonly batchRecords: number
}

describe("what a slow partition keeps", () => {
  it("is within the formula, and near it, where a part of each answer is a record batch that was cut off", () => {
    const { formula, most, ofSmallBatches } = kept({
      bytes: 10_000,
      batchRecords: 9,
      maxPartitionFetchBytes: 100 * 1_024
    })
    assert.isAtMost(most, formula)
    assert.isAbove(most, 0.9 * formula)
    assert.isAbove(most, ofSmallBatches)
  })

  it("is within the formula where a record batch is larger than what is asked for of a partition", () => {
    const { formula, most, ofSmallBatches } = kept({
      bytes: 1_000,
      batchRecords: 500,
      queueMaxBytes: 1 << 18,
      maxPartitionFetchBytes: 1 << 18
    })
    assert.isAtMost(most, formula)
    assert.isAbove(most, ofSmallBatches)
  })

  it("is within the formula whatever the sizes are", () => {
    const shapes = fc.record({
      bytes: fc.integer({ min: 64, max: 1_000 }),
      batchRecords: fc.integer({ min: 1, max: 60 }),
      maxPollRecords: fc.integer({ min: 1, max: 60 }),
      queueMaxBytes: fc.integer({ min: 1_024, max: 40_000 }),
      maxPartitionFetchBytes: fc.integer({ min: 1_024, max: 40_000 })
    })
    fc.assert(fc.property(shapes, (shape) => {
      const { formula, most } = kept(shape)
      assert.isAtMost(most, formula)
    }))
  })
})
