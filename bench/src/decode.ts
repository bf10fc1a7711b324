/**
 * `node bench/src/decode.ts [--rounds 9] [--json results.json]`: what decoding costs, without any network: the same answers of a
 * broker through the decoders of the client libraries and through ours. All in one process, in turns, so the ratios count
 * and the times depend on the machine.
 */
import { crc32c } from "@node-rs/crc32"
import { createRecordsBatch, Reader, readRecordsBatches } from "@platformatic/kafka"
import * as Codec from "@weft/kafka/Codec"
import { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import type { Decoded, Options } from "@weft/kafka/RecordBatch"
import * as RecordBatchDecoder from "@weft/kafka/RecordBatchDecoder"
import { writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { cpus } from "node:os"
import { parseArgs } from "node:util"
import { zstdDecompressSync } from "node:zlib"
import { wholeNumber } from "../../scripts/servers/wholeNumber.ts"
import { median } from "./Comparison.ts"
import { collectGarbage } from "./garbage.ts"

interface Answer {
  readonly name: string
  readonly records: number
  readonly bytes: Buffer
}

const require = createRequire(import.meta.url)
const { CompressionCodecs, CompressionTypes } = require("kafkajs") as typeof import("kafkajs")
Object.assign(CompressionCodecs, {
  [CompressionTypes.ZSTD]: () => ({ decompress: (bytes: Buffer) => Promise.resolve(zstdDecompressSync(bytes)) })
})
const KafkaJsDecoder = require("kafkajs/src/protocol/decoder") as new(bytes: Buffer) => object
const kafkajsDecode = require("kafkajs/src/protocol/requests/fetch/v4/decodeMessages") as (
  decoder: object
) => Promise<ReadonlyArray<{ readonly value: Buffer }>>

/** What one fetch of a partition may bring. */
const answerBytes = 1 << 20

/** Compressed ones become much more. */
const compressedBytes = 1 << 16

/** Each contender decodes for so long in a round. */
const turnMs = 40

/** Record batches as one fetch of a partition brings them. */
const answerOf = (options: {
  readonly name: string
  readonly valueBytes: number
  readonly recordsPerBatch: number
  readonly headers?: number
  readonly compression?: "gzip" | "zstd"
}): Answer => {
  const headers = Object.fromEntries(
    Array.from({ length: options.headers ?? 0 }, (_, i) => [`header-${i}`, Buffer.from(`value-${i}`)])
  )
  const batches: Array<Buffer> = []
  let size = 0
  let id = 0
  while (size < (options.compression === undefined ? answerBytes : compressedBytes)) {
    const messages = Array.from({ length: options.recordsPerBatch }, () => {
      const head = `{"id":${id},"key":"k${id % 997}","pad":"`
      return {
        topic: "t",
        timestamp: BigInt(1_700_000_000_000 + id),
        key: Buffer.from(`k${id++ % 997}`),
        value: Buffer.from(`${head.padEnd(options.valueBytes - 2, "abcdefghij")}"}`),
        headers: options.headers === undefined
          ? undefined
          : new Map(Object.entries(headers).map(([k, v]) => [Buffer.from(k), v]))
      }
    })
    const batch = Buffer.from(
      createRecordsBatch(messages as never, { compression: options.compression ?? "none" } as never).buffer
    )
    // The checksum begins after the offset.
    batch.writeBigInt64BE(BigInt(id - options.recordsPerBatch), 0)
    batches.push(batch)
    size += batch.length
  }
  return { name: options.name, records: id, bytes: Buffer.concat(batches) }
}

const answers = () => [
  answerOf({ name: "200 B, 500 to a batch", valueBytes: 200, recordsPerBatch: 500 }),
  answerOf({ name: "200 B, 1 to a batch", valueBytes: 200, recordsPerBatch: 1 }),
  answerOf({ name: "200 B, 3 headers, 500 to a batch", valueBytes: 200, recordsPerBatch: 500, headers: 3 }),
  answerOf({ name: "1 kB, 100 to a batch", valueBytes: 1000, recordsPerBatch: 100 }),
  answerOf({ name: "200 B, 500 to a batch, gzip", valueBytes: 200, recordsPerBatch: 500, compression: "gzip" }),
  answerOf({ name: "200 B, 1 to a batch, gzip", valueBytes: 200, recordsPerBatch: 1, compression: "gzip" }),
  answerOf({ name: "200 B, 500 to a batch, zstd", valueBytes: 200, recordsPerBatch: 500, compression: "zstd" })
]

/** What is read must be used, lest it is not read at all. */
let sink = 0

const ours = (options: Partial<Options>, use: (decoded: Decoded) => void, copy = false) => {
  const decoder = RecordBatchDecoder.make({ isolationLevel: "read_committed", checkCrcs: false, ...options })
  return ({ bytes, records }: Answer): void => {
    const decoded = decoder.decode({
      topic: "t",
      partition: 0,
      fetchOffset: 0n,
      highWatermark: 0n,
      records: bytes,
      copy
    })
    if (decoded.nextOffset !== BigInt(records)) throw new Error(`it ended at ${decoded.nextOffset} of ${records}`)
    use(decoded)
  }
}

const eachRecord = (use: (record: ConsumerRecord) => void) => ({ batches }: Decoded): void => {
  for (const batch of batches) {
    const records = Array.from({ length: batch.count }, (_, i) => new ConsumerRecord(batch, i))
    for (const record of records) use(record)
  }
}

const decodeJson = (record: ConsumerRecord): void => {
  const result = Codec.decodeValue(Codec.unknownJson, record)
  if (result._tag === "Success") sink += (result.success as { readonly id: number }).id & 1
}

const kafkajs = (use: (value: Buffer) => void) => ({ bytes }: Answer): Promise<void> => {
  const sized = Buffer.concat([Buffer.alloc(4), bytes])
  sized.writeInt32BE(bytes.length)
  return kafkajsDecode(new KafkaJsDecoder(sized)).then((messages) => messages.forEach(({ value }) => use(value)))
}

const platformatic = (use: (value: Buffer) => void) => ({ bytes }: Answer): void => {
  for (const { records } of readRecordsBatches(Reader.from(bytes))) for (const { value } of records) use(value!)
}

const sizeOf = (value: Buffer): void => {
  sink += value.length
}
const parse = (value: Buffer): void => {
  sink += (JSON.parse(value.toString()) as { readonly id: number }).id & 1
}

const contenders: Readonly<Record<string, (answer: Answer) => void | Promise<void>>> = {
  "kafkajs": kafkajs(sizeOf),
  "kafkajs, JSON.parse": kafkajs(parse),
  "@platformatic/kafka": platformatic(sizeOf),
  "weft, positions": ours({}, ({ batches }) => {
    sink += batches.length
  }),
  "weft, positions, checksum": ours({ checkCrcs: true }, ({ batches }) => {
    sink += batches.length
  }),
  "weft, positions, checksum by machine code": ours({ checkCrcs: true, crc32c }, ({ batches }) => {
    sink += batches.length
  }),
  "weft, positions, copied": ours({}, ({ batches }) => {
    sink += batches.length
  }, true),
  "weft, value ranges": ours({}, ({ batches }) => {
    for (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        const range = batch.value(i)
        if (range !== undefined) sink += range.end - range.start
      }
    }
  }),
  "weft, records, value": ours(
    {},
    eachRecord(({ value }) => {
      sink += value?.length ?? 0
    })
  ),
  "weft, records, JSON codec": ours({}, eachRecord(decodeJson)),
  "weft, records, JSON codec, checksum": ours({ checkCrcs: true }, eachRecord(decodeJson))
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    only: { type: "string", default: "" },
    json: { type: "string" }
  }
})
const rounds = wholeNumber("--rounds", values.rounds, 1, 1000)

const results: Array<object> = []
for (const answer of answers()) {
  if (!answer.name.includes(values.only)) continue
  const times = new Map(Object.keys(contenders).map((name) => [name, [] as Array<number>]))
  for (let round = -3; round < rounds; round++) {
    for (const [name, decode] of Object.entries(contenders)) {
      // What others left behind is not this one's work.
      collectGarbage({ type: "minor" })
      const started = process.cpuUsage()
      const until = performance.now() + turnMs
      let decoded = 0
      do {
        await decode(answer)
        decoded++
      } while (performance.now() < until)
      const { system, user } = process.cpuUsage(started)
      // The first rounds are for the compiler.
      if (round >= 0) times.get(name)!.push((user + system) * 1000 / decoded / answer.records)
    }
  }
  console.log(`\n${answer.name} (${answer.records} records in ${answer.bytes.length} bytes)`)
  for (const [name, of] of times) {
    const base = times.get(name.includes("JSON") ? "kafkajs, JSON.parse" : "kafkajs")!
    const ns = median(of)
    const ratio = median(of.map((one, i) => base[i]! / one))
    console.log(
      `  ${name.padEnd(42)} ${ns.toFixed(0).padStart(6)} ns a record  ${ratio.toFixed(1).padStart(6)} x kafkajs`
    )
    results.push({ answer: answer.name, name, nsPerRecord: ns, timesKafkajs: ratio })
  }
}
if (values.json !== undefined) {
  const about = { date: new Date().toISOString(), node: process.version, cpu: cpus()[0]?.model, rounds, sink }
  await writeFile(values.json, JSON.stringify({ ...about, results }, null, 2))
}
