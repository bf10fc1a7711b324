import { assert, describe, it } from "@effect/vitest"
import { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import * as FetchedBatch from "@weft/kafka/FetchedBatch"
import * as DeadLetter from "../src/DeadLetter.ts"

const info: DeadLetter.DeadLetterInfo = {
  topic: "orders",
  partition: 7,
  offset: 2n ** 40n,
  timestamp: 1_700_000_000_123,
  timestampType: "LogAppendTime",
  consumerGroup: "g",
  exception: "Refused",
  exceptionCause: "TypeError",
  message: "no – ünïcode",
  stacktrace: "at x",
  attempts: 3
}

const recordWith = (headers: ReadonlyArray<FetchedBatch.Header>) =>
  new ConsumerRecord(
    FetchedBatch.fromRecords({
      topic: "orders.dlq",
      partition: 0,
      highWatermark: 1n,
      records: [{ offset: 0n, timestamp: 0, key: null, value: null, headers }]
    }),
    0
  )

describe("DeadLetter", () => {
  it("reads what it writes", () => {
    assert.deepStrictEqual(DeadLetter.read(recordWith(DeadLetter.headers([], info))), info)
    const bare = { ...info, timestamp: -1, exceptionCause: undefined }
    assert.deepStrictEqual(DeadLetter.read(recordWith(DeadLetter.headers([], bare))), bare)
  })

  it("numbers are Spring's: big-endian, 4 and 8 bytes", () => {
    const headers = DeadLetter.headers([], info)
    const hex = (name: string) => Buffer.from(headers.find((header) => header.name === name)!.value!).toString("hex")
    assert.strictEqual(hex("kafka_dlt-original-partition"), "00000007")
    assert.strictEqual(hex("kafka_dlt-original-offset"), "0000010000000000")
    assert.strictEqual(hex("kafka_deliveryAttempt"), "00000003")
    assert.strictEqual(hex("kafka_dlt-original-timestamp"), "0000018bcfe5687b")
  })

  it("a record that was a dead letter before keeps its own headers, and the latest reason only", () => {
    const own = [{ name: "x", value: Buffer.from("1") }, { name: "x", value: null }]
    const once = DeadLetter.headers(own, info)
    const twice = DeadLetter.headers(once, { ...info, message: "again", attempts: 1 })
    assert.strictEqual(twice.length, once.length)
    assert.deepStrictEqual(twice.slice(0, 2), own)
    assert.deepInclude(DeadLetter.read(recordWith(twice)), { message: "again", attempts: 1 })
  })

  it("a record without these headers is no dead letter", () => {
    assert.isUndefined(DeadLetter.read(recordWith([])))
    const damaged = DeadLetter.headers([], info).map((header) =>
      header.name === "kafka_dlt-original-offset" ? { ...header, value: Buffer.from("12") } : header
    )
    assert.isUndefined(DeadLetter.read(recordWith(damaged)))
  })
})
