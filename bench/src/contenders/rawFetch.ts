/**
 * The limit of Node on this wire: one socket, one Fetch after the other, Weft's own decoder, and nothing else. No group, no
 * offsets, no back-pressure; of one broker only.
 */
import { crc32c } from "@node-rs/crc32"
import type { Decoder } from "@weft/kafka/RecordBatch"
import * as RecordBatchDecoder from "@weft/kafka/RecordBatchDecoder"
import { connect } from "node:net"
import { type Contender, fetchSettings, type Progress } from "./Contender.ts"

const apiFetch = 1
const apiVersion = 11
const lengthBytes = 4
const readBytes = 131_072

/** Writes what Kafka calls a primitive; the buffer is large enough for any request of a few hundred partitions. */
class Writer {
  private readonly buffer = Buffer.alloc(1 << 16)
  private at = lengthBytes
  int8(value: number): this {
    this.at = this.buffer.writeInt8(value, this.at)
    return this
  }
  int16(value: number): this {
    this.at = this.buffer.writeInt16BE(value, this.at)
    return this
  }
  int32(value: number): this {
    this.at = this.buffer.writeInt32BE(value, this.at)
    return this
  }
  int64(value: bigint): this {
    this.at = this.buffer.writeBigInt64BE(value, this.at)
    return this
  }
  text(value: string): this {
    this.int16(Buffer.byteLength(value))
    this.at += this.buffer.write(value, this.at)
    return this
  }
  /** The request with its length before it. */
  framed(): Buffer {
    this.buffer.writeInt32BE(this.at - lengthBytes, 0)
    return Buffer.from(this.buffer.subarray(0, this.at))
  }
}

const request = (topic: string, positions: ReadonlyMap<number, bigint>, id: number): Buffer => {
  const writer = new Writer().int16(apiFetch).int16(apiVersion).int32(id).text("bench")
    .int32(-1).int32(fetchSettings.maxWaitMs).int32(fetchSettings.minBytes).int32(fetchSettings.maxBytes).int8(0)
    .int32(0).int32(-1).int32(1).text(topic).int32(positions.size)
  for (const [partition, position] of positions) {
    writer.int32(partition).int32(-1).int64(position).int64(-1n).int32(fetchSettings.maxBytesPerPartition)
  }
  return writer.int32(0).text("").framed()
}

/** Hands over the records of one answer, and moves the positions on. */
const take = (
  answer: Buffer,
  topic: string,
  positions: Map<number, bigint>,
  decoder: Decoder,
  progress: Progress
): void => {
  let at = lengthBytes + 4 + 4 + 2 + 4
  const topics = answer.readInt32BE(at)
  at += 4
  for (let t = 0; t < topics; t++) {
    at += 2 + answer.readInt16BE(at)
    const partitions = answer.readInt32BE(at)
    at += 4
    for (let p = 0; p < partitions; p++) {
      const partition = answer.readInt32BE(at)
      const code = answer.readInt16BE(at + 4)
      if (code !== 0) throw new Error(`the broker answered ${code}`)
      const highWatermark = answer.readBigInt64BE(at + 6)
      at += 30
      const aborted = answer.readInt32BE(at)
      at += 4 + Math.max(0, aborted) * 16 + 4
      const size = Math.max(0, answer.readInt32BE(at))
      at += 4
      if (size > 0) {
        const decoded = decoder.decode({
          topic,
          partition,
          fetchOffset: positions.get(partition)!,
          highWatermark,
          records: answer.subarray(at, at + size)
        })
        for (const batch of decoded.batches) {
          let bytes = 0
          for (let i = 0; i < batch.count; i++) {
            const value = batch.value(i)
            if (value !== undefined) bytes += value.end - value.start
          }
          progress.seen(batch.count, bytes)
        }
        positions.set(partition, decoded.nextOffset)
      }
      at += size
    }
  }
}

export const run: Contender = (task, progress) => {
  const [host = "", port = ""] = task.brokers[0]!.split(":")
  const positions = new Map(Array.from({ length: task.partitions }, (_, partition) => [partition, 0n]))
  const decoder = RecordBatchDecoder.make({ isolationLevel: "read_committed", crc32c })
  const { promise, reject, resolve } = Promise.withResolvers<void>()
  /** Each answer takes the place of the one before: nobody keeps its records. */
  let memory = Buffer.alloc(0)
  const head = Buffer.alloc(lengthBytes)
  let headFilled = 0
  let size = 0
  let have = 0
  let asked = 0
  const ask = () => socket.write(request(task.topic, positions, ++asked))
  const onBytes = (data: Buffer) => {
    for (let at = 0; at < data.length;) {
      if (headFilled < lengthBytes) {
        const taken = data.copy(head, headFilled, at)
        headFilled += taken
        at += taken
        if (headFilled < lengthBytes) return
        size = head.readInt32BE(0) + lengthBytes
        if (size > memory.length) memory = Buffer.allocUnsafeSlow(size)
        have = lengthBytes
      }
      const taken = data.copy(memory, have, at, at + size - have)
      have += taken
      at += taken
      if (have < size) continue
      headFilled = 0
      take(memory.subarray(0, size), task.topic, positions, decoder, progress)
      ask()
    }
  }
  const buffer = Buffer.allocUnsafeSlow(readBytes)
  const socket = connect({
    host,
    port: Number(port),
    noDelay: true,
    onread: {
      buffer,
      callback: (read) => {
        onBytes(buffer.subarray(0, read))
        return true
      }
    }
  })
  socket.on("connect", ask)
  socket.on("error", reject)
  void progress.done.then(() => {
    socket.destroy()
    resolve()
  })
  return promise
}
