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

  it("does not read past the end, whatever length is announced", () => {
    assert.throws(() => new Reader(Buffer.from([0, 9, 65])).string(), RangeError)
    assert.throws(() => {
      const reader = new Reader(Buffer.from("7fffffff00000001", "hex"))
      reader.array(() => reader.int32())
    }, RangeError)
  })
})
