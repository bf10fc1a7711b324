import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Codec from "../src/Codec.ts"
import { ConsumerRecord, copy } from "../src/ConsumerRecord.ts"
import * as FetchedBatch from "../src/FetchedBatch.ts"

const record = (
  value: Uint8Array | null,
  headers: ReadonlyArray<FetchedBatch.Header> = []
): ConsumerRecord =>
  new ConsumerRecord(
    FetchedBatch.fromRecords({
      topic: "t",
      partition: 3,
      highWatermark: 10n,
      records: [{ offset: 7n, timestamp: 1, key: null, value, headers }]
    }),
    0
  )

const Point = Schema.Struct({ x: Schema.Finite })

describe("Codec", () => {
  it("reads in place, from the middle of a buffer", () => {
    const bytes = Buffer.from("xx{\"x\":1}yy")
    assert.deepStrictEqual(Codec.json(Point).decode(bytes, 2, 9), Result.succeed({ x: 1 }))
    assert.deepStrictEqual(Codec.json(Point).decode(new Uint8Array(bytes), 2, 9), Result.succeed({ x: 1 }))
    assert.deepStrictEqual(Codec.string.decode(bytes, 2, 9), Result.succeed("{\"x\":1}"))
  })

  it("a tombstone is null, and 0 bytes are a value", () => {
    assert.deepStrictEqual(Codec.decodeValue(Codec.json(Point), record(null)), Result.succeed(null))
    assert.deepStrictEqual(Codec.decodeValue(Codec.string, record(new Uint8Array(0))), Result.succeed(""))
    const empty = Codec.decodeValue(Codec.json(Point), record(new Uint8Array(0)))
    assert.isTrue(Result.isFailure(empty))
  })

  it("what cannot be decoded is a value that carries the raw record", () => {
    for (const text of ["{", "{\"x\":\"one\"}", "null", "[]"]) {
      const raw = record(Buffer.from(text))
      const result = Codec.decodeValue(Codec.json(Point), raw)
      assert.isTrue(Result.isFailure(result), text)
      if (Result.isFailure(result)) {
        assert.strictEqual(result.failure._tag, "DecodeError")
        assert.strictEqual(result.failure.record, raw)
        assert.match(result.failure.message, /the value of t-3@7 cannot be decoded/)
      }
    }
  })

  it("what throws is a value as well: a Schema's own functions, one that does not answer at once, a codec", () => {
    const fail = (): never => {
      throw new Error("a bug")
    }
    const throwing = Codec.json(Schema.String.pipe(Schema.decode({
      decode: SchemaGetter.transform((text: string) => text === "bad" ? fail() : text),
      encode: SchemaGetter.transform((text: string) => text === "bad" ? fail() : text)
    })))
    const late = Codec.json(Schema.String.pipe(Schema.decode({
      decode: SchemaGetter.transformEffect((text: string) => Effect.delay(Effect.succeed(text), 10)),
      encode: SchemaGetter.transform((text: string) => text)
    })))
    const json = (text: string) => record(Buffer.from(JSON.stringify(text)))
    assert.deepStrictEqual(Codec.decodeValue(throwing, json("good")), Result.succeed("good"))
    for (const codec of [throwing, late, { ...Codec.string, decode: fail }]) {
      const bytes = Buffer.from("\"bad\"")
      if (codec !== throwing && codec !== late) assert.throws(() => codec.decode(bytes, 0, 5))
      else assert.isTrue(Result.isFailure(codec.decode(bytes, 0, 5)))
      const decoded = Codec.decodeValue(codec, json("bad"))
      assert.isTrue(Result.isFailure(decoded))
      if (Result.isFailure(decoded)) {
        assert.strictEqual(decoded.failure._tag, "DecodeError")
        if (codec !== late) assert.include(decoded.failure.message, "a bug")
      }
    }
    assert.isTrue(Result.isFailure(Codec.encode(throwing, "bad")))
  })

  it("what cannot be encoded is a value, too", () => {
    assert.isTrue(Result.isFailure(Codec.encode(Codec.json(Point), { x: "no" } as never)))
    assert.isTrue(Result.isFailure(Codec.encode(Codec.unknownJson, 1n)))
    assert.deepStrictEqual(Codec.encode(Codec.string, null), Result.succeed(null))
  })
})

describe("ConsumerRecord", () => {
  const bytes = (text: string) => Buffer.from(text)
  it("keeps headers as they came: duplicates, order, null values, invalid UTF-8", () => {
    const headers = [
      { name: "a", value: bytes("1") },
      { name: "b", value: null },
      { name: "a", value: Buffer.from([0xff, 0x41]) }
    ]
    const read = record(null, headers)
    assert.deepStrictEqual(read.headers, headers)
    assert.strictEqual(read.headerText("a"), "\ufffdA")
    assert.isNull(read.header("b"))
    assert.isUndefined(read.header("c"))
  })
  it("a copy holds nothing of the batch's buffer", () => {
    const read = record(bytes("value"))
    const kept = copy(read)
    assert.deepStrictEqual(Buffer.from(kept.value!), bytes("value"))
    assert.notStrictEqual(kept.value!.buffer, read.value!.buffer)
    assert.strictEqual(String(kept), "t-3@7")
  })
})
