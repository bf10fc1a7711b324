/** The `records` field of one partition's answer, batch by batch. */
import * as Result from "effect/Result"
import type { FetchedBatch } from "../FetchedBatch.ts"
import { CorruptRecordBatchError, UnsupportedRecordBatchError } from "../KafkaError.ts"
import type { Decoded, Decoder, Decoding, Decompressors, Options, PartitionResponse, Stop } from "../RecordBatch.ts"
import { AbortedTransactions } from "./abortedTransactions.ts"
import { BatchHead, lengthFrom, magicEnd, smallestLength } from "./batchHead.ts"
import { compressionTypes, nodeDecompressors } from "./compression.ts"
import { controlType } from "./controlRecord.ts"
import { crc32c } from "../Crc32c.ts"
import { nodeBuffer } from "./byteViews.ts"
import { RecordWalk } from "./recordWalk.ts"
import { copyOf, type Extent, Run } from "./run.ts"

const defaultMaxDecompressedBytes = 256 * 1024 * 1024

/** Below so many bytes a library's checksum is not faster than ours: the call itself takes its time. */
const worthACall = 512

/** What is at least so large a part of its buffer is kept with all of that. */
const worthItsBuffer = 0.5

export class RecordBatchDecoder implements Decoder {
  readonly readsCommitted: boolean
  readonly decompressors: Decompressors
  readonly checkCrcs: boolean
  readonly crc32c: ((bytes: Uint8Array) => number) | undefined
  readonly maxDecompressedBytes: number
  /** Work space, empty between two answers. */
  readonly walk = new RecordWalk()

  constructor(options: Options) {
    this.readsCommitted = options.isolationLevel === "read_committed"
    this.decompressors = options.decompressors ?? nodeDecompressors
    this.checkCrcs = options.checkCrcs ?? true
    this.crc32c = options.crc32c
    this.maxDecompressedBytes = options.maxDecompressedBytes ?? defaultMaxDecompressedBytes
  }

  open(response: PartitionResponse): Decoding {
    return new AnswerDecoding(this, response)
  }

  decode(response: PartitionResponse): Decoded {
    const decoding = this.open(response)
    const batches: Array<FetchedBatch> = []
    for (let batch = decoding.next(); batch !== undefined; batch = decoding.next()) batches.push(batch)
    return { batches, nextOffset: decoding.nextOffset, stop: decoding.stop }
  }
}

const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

/** One answer on its way through the decoder. Between two calls of `next` nothing of it is in the decoder's work space. */
class AnswerDecoding implements Decoding {
  private readonly decoder: RecordBatchDecoder
  private readonly response: PartitionResponse
  private readonly aborted: AbortedTransactions | undefined
  private bytes: Buffer
  private view: DataView
  /** Where the next batch begins. */
  private at = 0
  /** The batches that become the next `FetchedBatch`. */
  private run: Run | undefined = undefined
  private handedOut: bigint
  private stopped: Stop | undefined = undefined
  /** Bytes of the answer before those that are still here. */
  private skipped = 0
  nextOffset: bigint

  constructor(decoder: RecordBatchDecoder, response: PartitionResponse) {
    this.decoder = decoder
    this.response = response
    this.bytes = nodeBuffer(response.records)
    this.view = viewOf(this.bytes)
    this.nextOffset = this.handedOut = response.fetchOffset
    const { abortedTransactions = [] } = response
    this.aborted = decoder.readsCommitted && abortedTransactions.length > 0
      ? new AbortedTransactions(abortedTransactions)
      : undefined
  }

  next(): FetchedBatch | undefined {
    while (this.stopped === undefined && this.at < this.bytes.length) {
      const head = new BatchHead(this.view, this.at)
      this.stopped = this.cannotBegin(head)
      if (this.stopped !== undefined) break
      if (this.run?.takes(head) === false && !head.isControl) break
      this.stopped = this.take(head)
      if (this.stopped === undefined) this.at = head.end
    }
    const { response, run } = this
    this.run = undefined
    if (run?.isEmpty !== false && this.nextOffset === this.handedOut) return undefined
    this.handedOut = this.nextOffset
    return run?.isEmpty === false
      ? run.toBatch(response, this.nextOffset, this.decoder.walk.take(), this.unused)
      : Run.empty(response, this.nextOffset)
  }

  /** What was cut off at the end of an answer stays in memory with the records before it. */
  private get unused(): number {
    return this.stopped === undefined ? 0 : this.bytes.length - this.at
  }

  get stop(): Stop | undefined {
    // What was cut off after something else comes with the next fetch.
    const isNews = this.stopped?._tag !== "Incomplete" || this.nextOffset === this.response.fetchOffset
    return isNews ? this.stopped : undefined
  }

  get isDone(): boolean {
    return this.stopped !== undefined || this.at >= this.bytes.length
  }

  detach(): void {
    const left = this.bytes.length - this.at
    if (left >= worthItsBuffer * this.bytes.buffer.byteLength) return
    this.bytes = copyOf(this.bytes.subarray(this.at))
    this.view = viewOf(this.bytes)
    this.skipped += this.at
    this.at = 0
  }

  /** `undefined`: it is a batch of version 2, and all of it is there. */
  private cannotBegin(head: BatchHead): Stop | undefined {
    const left = this.bytes.length - head.at
    if (left < magicEnd) return { _tag: "Incomplete", bytes: this.skipped + head.at + lengthFrom + smallestLength }
    const { length, magic } = head
    if (magic === 0 || magic === 1) return { _tag: "MessageSet", magic, start: this.skipped + head.at }
    if (magic !== 2) return this.corrupt(`its magic byte is ${magic}`)
    if (length < smallestLength) return this.corrupt(`it has a length of ${length} bytes`)
    return left < lengthFrom + length ? { _tag: "Incomplete", bytes: this.skipped + head.end } : undefined
  }

  private take(head: BatchHead): Stop | undefined {
    const { baseOffset, lastOffsetDelta } = head
    if (baseOffset < 0n || lastOffsetDelta < 0) {
      return this.corrupt(`it goes from offset ${baseOffset} to ${lastOffsetDelta} beyond that`)
    }
    if (this.decoder.checkCrcs) {
      const computed = this.checksum(head.checkedFrom, head.end)
      if (computed !== head.crc) return this.corrupt(`its checksum is ${computed}, and should be ${head.crc}`)
    }
    const lastOffset = baseOffset + BigInt(lastOffsetDelta)
    const stop = head.isControl ? this.takeControl(head, lastOffset) : this.takeRecords(head, lastOffset)
    if (stop === undefined && lastOffset >= this.nextOffset) this.nextOffset = lastOffset + 1n
    return stop
  }

  private checksum(start: number, end: number): number {
    const { crc32c: library } = this.decoder
    return library === undefined || end - start < worthACall
      ? crc32c(this.view, start, end)
      : library(this.bytes.subarray(start, end))
  }

  private takeControl(head: BatchHead, lastOffset: bigint): Stop | undefined {
    if (this.aborted === undefined || head.count === 0) return undefined
    const type = controlType(this.bytes, head.recordsAt, head.end)
    if (type === undefined) return this.corrupt("its control record cannot be read")
    this.aborted.onMarker(head.producerId, lastOffset, type)
    return undefined
  }

  private takeRecords(head: BatchHead, lastOffset: bigint): Stop | undefined {
    const { count } = head
    if (this.aborted?.has(head.producerId, lastOffset) === true && head.isTransactional) return undefined
    // Compaction leaves a batch without records where it has to remember the producer.
    if (lastOffset < this.nextOffset || count === 0) return undefined
    if (count < 0) return this.corrupt(`it has ${count} records`)
    const records: Extent = { bytes: this.bytes, start: head.recordsAt, end: head.end }
    return head.isCompressed ? this.decompress(head, records) : this.note(head, records)
  }

  private decompress(head: BatchHead, { bytes, end, start }: Extent): Stop | undefined {
    const type = compressionTypes[head.compression]
    const decompress = type === undefined ? undefined : this.decoder.decompressors[type]
    if (decompress === undefined) return this.unsupported(type ?? `compression type ${head.compression}`)
    const { maxDecompressedBytes } = this.decoder
    const decompressed = Result.try({
      try: () => decompress(bytes.subarray(start, end), maxDecompressedBytes),
      catch: (cause) => cause instanceof Error ? cause.message : String(cause)
    })
    if (Result.isFailure(decompressed)) return this.corrupt(`${type} cannot be decompressed: ${decompressed.failure}`)
    const records = nodeBuffer(decompressed.success)
    return this.note(head, { bytes: records, start: 0, end: records.length })
  }

  private note(head: BatchHead, records: Extent): Stop | undefined {
    const run = this.run ??= new Run(head)
    const { bytes, end, start } = run.place(records)
    const { walk } = this.decoder
    const from = walk.count
    const wrong = walk.note({
      bytes,
      start,
      end,
      count: head.count,
      origin: run.origin,
      fromDelta: Number(this.nextOffset - head.baseOffset),
      lastDelta: head.lastOffsetDelta,
      shift: Number(head.baseOffset - run.baseOffset)
    })
    if (wrong !== undefined) return this.corrupt(wrong)
    run.add(from, head.timestamp, end)
    return undefined
  }

  private corrupt(reason: string): Stop {
    const { partition, topic } = this.response
    return {
      _tag: "Corrupt",
      error: new CorruptRecordBatchError({ topic, partition, offset: this.nextOffset, reason })
    }
  }

  private unsupported(compression: string): Stop {
    const { partition, topic } = this.response
    return {
      _tag: "Unsupported",
      error: new UnsupportedRecordBatchError({ topic, partition, offset: this.nextOffset, compression })
    }
  }
}
