import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { decode, encode, lowerLimit, maxBytes } from "../../src/internal/offsetMetadata.ts"
import type { OffsetRange } from "../../src/internal/offsetRanges.ts"

const rangesOver = (watermark: bigint, steps: ReadonlyArray<readonly [number, number]>): ReadonlyArray<OffsetRange> => {
  let at = watermark
  return steps.map(([gap, run]) => {
    const start = at + BigInt(gap)
    at = start + BigInt(run)
    return { start, end: at }
  })
}

const steps = (max: number) =>
  fc.array(fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max })), { maxLength: 3000 })

describe("offsetMetadata", () => {
  it("gives back what it was given, or less where it does not fit; never more", () => {
    fc.assert(fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 60n }),
      fc.oneof(steps(3), steps(200), steps(1_000_000)),
      (watermark, plan) => {
        const ranges = rangesOver(watermark, plan)
        const { complete, metadata } = encode(watermark, ranges)
        assert.isAtMost(metadata.length, maxBytes)
        const decoded = decode(watermark, metadata)
        assert.deepStrictEqual(decoded, ranges.slice(0, decoded.length))
        assert.strictEqual(complete, decoded.length === ranges.length)
      }
    ))
  })

  it("keeps within whatever the broker takes, down to nothing", () => {
    const ranges = rangesOver(0n, Array.from({ length: 3_000 }, (_, i) => [1 + i % 3, 1 + i % 5] as const))
    for (const limit of [4_096, 1_000, 512, 64, 20, 16, 15, 1, 0]) {
      const { complete, metadata } = encode(0n, ranges, limit)
      assert.isAtMost(metadata.length, limit)
      assert.strictEqual(complete, limit === 4_096)
      const told = decode(0n, metadata)
      assert.deepStrictEqual(told, ranges.slice(0, told.length))
      if (limit >= 64) assert.isNotEmpty(told)
    }
    assert.deepStrictEqual([4_096, 64, 32, 31, 1].map(lowerLimit), [2_048, 32, 16, 0, 0])
  })

  it("chooses the shorter form", () => {
    const alternating = rangesOver(0n, Array.from({ length: 400 }, () => [1, 1] as const))
    assert.isTrue(encode(0n, alternating).metadata.startsWith("weft1b"))
    assert.isTrue(encode(0n, rangesOver(0n, [[100_000, 100_000]])).metadata.startsWith("weft1r"))
  })

  it("nothing beyond the watermark is no metadata at all", () => {
    assert.deepStrictEqual(encode(5n, []), { metadata: "", complete: true })
    assert.deepStrictEqual(decode(5n, ""), [])
  })

  it("leaves foreign and damaged metadata alone", () => {
    fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => {
      decode(0n, text)
      assert.deepStrictEqual(decode(0n, `x${text}`), [])
    }))
    for (const text of ["host-17", "weft1", "weft1r", "weft1q AAA", "weft2rAAAA", "weft1r////////////////////"]) {
      assert.deepStrictEqual(decode(0n, text), [], text)
    }
  })

  const some = rangesOver(100n, [[3, 5], [2, 40], [1, 1]])

  it("holds for the offset that it was written for, and no other", () => {
    const { metadata } = encode(100n, some)
    assert.deepStrictEqual(decode(100n, metadata), some)
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 62n }), (offset) => {
      fc.pre(offset !== 100n)
      assert.deepStrictEqual(decode(offset, metadata), [])
    }))
  })

  it("is ignored as a whole where a character of it was changed, or its end is missing", () => {
    const { metadata } = encode(100n, some)
    const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    const bytesOf = (text: string) => text.slice(0, 6) + Buffer.from(text.slice(6), "base64").toString("hex")
    const damaged = Array.from(metadata, (own, at) => [
      metadata.slice(0, at),
      ...[...digits].filter((digit) => digit !== own).map((digit) =>
        metadata.slice(0, at) + digit + metadata.slice(at + 1)
      )
    ]).flat()
      // Padding, and the last bits of the last digit, mean nothing in base64.
      .filter((text) => bytesOf(text) !== bytesOf(metadata))
    assert.deepStrictEqual(damaged.filter((text) => decode(100n, text).length > 0), [])
  })
})
