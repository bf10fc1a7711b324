import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Reader, Writer } from "../src/Wire.ts"

describe("Wire", () => {
  it("reads what was written", () => {
    const values = fc.record({
      tiny: fc.integer({ min: -128, max: 127 }),
      small: fc.integer({ min: -32_768, max: 32_767 }),
      texts: fc.array(fc.option(fc.string(), { nil: null })),
      number: fc.integer()
    })
    fc.assert(fc.property(values, ({ number, small, texts, tiny }) => {
      const writer = new Writer(1)
      writer.int8(tiny).int16(small).array(texts, (text) => writer.string(text)).int32(number)
      const reader = new Reader(writer.buffer)
      assert.deepStrictEqual([reader.int8(), reader.int16()], [tiny, small])
      assert.deepStrictEqual(reader.array(() => reader.string()), texts)
      assert.strictEqual(reader.int32(), number)
    }))
  })

  it("reads what was written in the flexible way", () => {
    const values = fc.record({ number: fc.nat(2 ** 31 - 1), texts: fc.array(fc.string()) })
    fc.assert(fc.property(values, ({ number, texts }) => {
      const writer = new Writer(1)
      writer.unsignedVarint(number).compactArray(texts, (text) => writer.compactString(text)).tags().int8(1)
      const reader = new Reader(writer.buffer)
      assert.strictEqual(reader.unsignedVarint(), number)
      assert.deepStrictEqual(reader.compactArray(() => reader.compactString()), texts)
      reader.tags()
      assert.strictEqual(reader.int8(), 1)
    }))
    // A tag that nobody knows here: number 5, three bytes long.
    const reader = new Reader(Buffer.from("01" + "05" + "03" + "aabbcc" + "07", "hex"))
    reader.tags()
    assert.strictEqual(reader.int8(), 7)
    assert.isNull(new Reader(Buffer.from([0])).compactString())
    assert.throws(() => new Reader(Buffer.from("ffffffffff01", "hex")).unsignedVarint(), RangeError)
    assert.throws(() => new Reader(Buffer.from([9, 65])).compactString(), RangeError)
  })

  it("does not read past the end, whatever length is announced", () => {
    assert.throws(() => new Reader(Buffer.from([0, 9, 65])).string(), RangeError)
    assert.throws(() => {
      const reader = new Reader(Buffer.from("7fffffff00000001", "hex"))
      reader.array(() => reader.int32())
    }, RangeError)
  })
})
