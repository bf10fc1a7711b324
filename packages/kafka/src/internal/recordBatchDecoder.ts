/** The `records` field of one partition's answer, batch by batch. */
import * as Result from "effect/Result"
import type { FetchedBatch } from "../FetchedBatch.ts"
import { CorruptRecordBatchError, UnsupportedRecordBatchError } from "../KafkaError.ts"
import type { Decoded, Decoder, Decompressors, Options, PartitionResponse, Stop } from "../RecordBatch.ts"
import { AbortedTransactions } from "./abortedTransactions.ts"
import { BatchHead, lengthFrom, magicEnd, smallestLength } from "./batchHead.ts"
import { compressionTypes, nodeDecompressors } from "./compression.ts"
import { controlType } from "./controlRecord.ts"
import { crc32c } from "./crc32c.ts"
import { RecordWalk } from "./recordWalk.ts"
import { Run, type RunStart } from "./run.ts"

const defaultMaxDecompressedBytes = 256 * 1024 * 1024

/** Below so many bytes a library's checksum is not faster than ours: the call itself takes its time. */
const worthACall = 512

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

  decode(response: PartitionResponse): Decoded {
    return new Decoding(this, response).toEnd()
  }
}

const nodeBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** One answer on its way through the decoder. */
class Decoding {
  private readonly decoder: RecordBatchDecoder
  private readonly response: PartitionResponse
  private readonly bytes: Buffer
  private readonly view: DataView
  private readonly aborted: AbortedTransactions | undefined
  private readonly batches: Array<FetchedBatch> = []
  /** The batches that become the next `FetchedBatch`. */
  private run: Run | undefined = undefined
  private nextOffset: bigint

  constructor(decoder: RecordBatchDecoder, response: PartitionResponse) {
    this.decoder = decoder
    this.response = response
    const bytes = this.bytes = nodeBuffer(response.records)
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.nextOffset = response.fetchOffset
    const { abortedTransactions = [] } = response
    this.aborted = decoder.readsCommitted && abortedTransactions.length > 0
      ? new AbortedTransactions(abortedTransactions)
      : undefined
  }

  toEnd(): Decoded {
    const { bytes } = this
    let stop: Stop | undefined
    let at = 0
    while (stop === undefined && at < bytes.length) {
      const head = new BatchHead(this.view, at)
      stop = this.cannotBegin(head)
      if (stop !== undefined) break
      stop = this.take(head)
      at = head.end
    }
    this.endRun()
    const { nextOffset } = this
    const isStuck = nextOffset === this.response.fetchOffset
    if (!isStuck && this.batches.length === 0) this.batches.push(Run.empty(this.response, nextOffset))
    // What was cut off after something else comes with the next fetch.
    return { batches: this.batches, nextOffset, stop: stop?._tag === "Incomplete" && !isStuck ? undefined : stop }
  }

  /** `undefined`: it is a batch of version 2, and all of it is there. */
  private cannotBegin(head: BatchHead): Stop | undefined {
    const left = this.bytes.length - head.at
    if (left < magicEnd) return { _tag: "Incomplete", bytes: head.at + lengthFrom + smallestLength }
    const { length, magic } = head
    if (magic === 0 || magic === 1) return { _tag: "MessageSet", magic, start: head.at }
    if (magic !== 2) return this.corrupt(`its magic byte is ${magic}`)
    if (length < smallestLength) return this.corrupt(`it has a length of ${length} bytes`)
    return left < lengthFrom + length ? { _tag: "Incomplete", bytes: head.end } : undefined
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
    if (head.compression === 0) return this.note(head, this.bytes, head.recordsAt, head.end)
    const type = compressionTypes[head.compression]
    const decompress = type === undefined ? undefined : this.decoder.decompressors[type]
    if (decompress === undefined) return this.unsupported(type ?? `compression type ${head.compression}`)
    const { maxDecompressedBytes } = this.decoder
    const decompressed = Result.try({
      try: () => decompress(this.bytes.subarray(head.recordsAt, head.end), maxDecompressedBytes),
      catch: (cause) => cause instanceof Error ? cause.message : String(cause)
    })
    if (Result.isFailure(decompressed)) return this.corrupt(`${type} cannot be decompressed: ${decompressed.failure}`)
    const bytes = nodeBuffer(decompressed.success)
    return this.note(head, bytes, 0, bytes.length)
  }

  private note(head: BatchHead, bytes: Buffer, start: number, end: number): Stop | undefined {
    const { baseOffset, count, lastOffsetDelta } = head
    const runStart: RunStart = {
      bytes,
      start,
      baseOffset,
      leaderEpoch: head.leaderEpoch,
      isLogAppendTime: head.isLogAppendTime
    }
    if (this.run?.takes(runStart, lastOffsetDelta) !== true) {
      this.endRun()
      this.run = new Run(runStart)
    }
    const { run } = this
    const { walk } = this.decoder
    const from = walk.count
    const wrong = walk.note({
      bytes,
      start,
      end,
      count,
      origin: run.start,
      fromDelta: Number(this.nextOffset - baseOffset),
      lastDelta: lastOffsetDelta,
      shift: Number(baseOffset - run.baseOffset)
    })
    if (wrong !== undefined) return this.corrupt(wrong)
    run.add(from, head.timestamp, end)
    return undefined
  }

  private endRun(): void {
    const { run } = this
    this.run = undefined
    if (run?.hasRecords !== true) return
    this.batches.push(run.toBatch(this.response, this.nextOffset, this.decoder.walk.take()))
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
