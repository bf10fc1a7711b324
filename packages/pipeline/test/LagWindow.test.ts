import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type LagPoint, lagOf } from "../src/LagStatus.ts"
import * as LagWindow from "../src/LagWindow.ts"

const windowOf = (points: ReadonlyArray<LagPoint>): LagWindow.LagWindow => {
  const window = new LagWindow.LagWindow()
  for (const point of points) window.push(point)
  return window
}

const points = (looks: ReadonlyArray<readonly [seconds: number, offset: number, end: number]>) =>
  looks.map(([seconds, offset, end]): LagPoint => ({ at: seconds * 1_000, offset: BigInt(offset), end: BigInt(end) }))

const age = (looks: Parameters<typeof points>[0], now: number, oldestTimestamp?: number) =>
  LagWindow.ageSeconds(windowOf(points(looks)), { now: now * 1_000, oldestTimestamp })

const years = 365 * 86_400

describe("LagWindow", () => {
  it("keeps the newest samples", () => {
    const all = points(Array.from({ length: 25 }, (_, i) => [i, i, i + 5] as const))
    assert.deepStrictEqual(windowOf(all).points(), all.slice(-10))
    assert.deepStrictEqual(windowOf(all.slice(0, 3)).points(), all.slice(0, 3))
    assert.deepStrictEqual(windowOf(all).last, all.at(-1))
    assert.isUndefined(windowOf([]).last)
  })

  it("begins anew where the end or the clock goes back", () => {
    const log = points([[1, 40, 50], [2, 3, 4], [3, 4, 4]])
    assert.deepStrictEqual(windowOf(log).points(), log.slice(1))
    const clock = points([[100, 4, 50], [90, 5, 60]])
    assert.deepStrictEqual(windowOf(clock).points(), clock.slice(1))
  })

  describe("seconds", () => {
    it("are 0 without samples and without lag, also of an idle topic", () => {
      assert.strictEqual(age([], 1_000, 4_000), 0)
      assert.strictEqual(age([[1, 9, 9]], 1_000, 4_000), 0)
      assert.strictEqual(age([[1, 0, 0], [1_000, 0, 0]], 5_000), 0)
      assert.strictEqual(age([[1, 9, 5]], 1_000), 0)
    })
    it("are exact by the timestamp of the oldest record", () => {
      assert.strictEqual(age([[9, 5, 9]], 10, 4_000), 6)
      assert.strictEqual(age([[9, 5, 9]], 10, 10_000), 0)
    })
    it("come from the samples where the timestamp cannot be true", () => {
      const looks = [[1, 5, 5], [2, 5, 9], [3, 5, 9]] as const
      // 0, -1, the future, seconds for milliseconds.
      for (const timestamp of [0, -1, 50_000, Number.NaN]) assert.strictEqual(age(looks, 10, timestamp), 9)
      const now = 50 * years
      assert.strictEqual(age([[now - 2, 5, 5], [now - 1, 5, 9]], now, 1_763_000_000), 2)
    })
    it("are interpolated between two looks at the end", () => {
      assert.strictEqual(age([[0, 0, 100], [10, 150, 200], [20, 150, 200]], 20), 15)
      assert.strictEqual(age([[0, 0, 100], [10, 100, 200]], 20), 20)
    })
    it("do not count the time in which nothing was written", () => {
      assert.strictEqual(age([[0, 10, 10], [100, 10, 10], [200, 10, 10], [300, 10, 20]], 310), 110)
    })
    it("know nothing of a log that is no more", () => {
      assert.strictEqual(age([[0, 0, 100], [10, 100, 100], [20, 0, 5], [30, 0, 5]], 40), 20)
    })
    it("grow on beyond the samples that are kept", () => {
      const looks = Array.from({ length: 500 }, (_, i) => [i * 10, 20, i === 0 ? 20 : 25] as const)
      assert.strictEqual(age(looks, 5_000), 5_000)
    })
    it("know when a record of long ago was written, however many looks there were since", () => {
      // A record each second, but for an hour in the middle in which nothing was written.
      const looks = Array.from({ length: 1_000 }, (_, i) => {
        const written = i < 400 ? i * 10 : i < 760 ? 4_000 : (i - 360) * 10
        return [i * 10, 700, written] as const
      })
      assert.closeTo(age(looks, 10_000), 10_000 - 700, 10)
      // The reader goes on at last: on either side of the hour.
      const movedTo = (offset: number) => age([...looks, [10_000, offset, 6_400]], 10_000)
      assert.closeTo(movedTo(2_000), 10_000 - 2_000, 20)
      assert.closeTo(movedTo(3_990), 10_000 - 3_990, 20)
      assert.closeTo(movedTo(4_005), 10_000 - 7_605, 20)
      assert.closeTo(movedTo(5_000), 10_000 - 8_600, 20)
    })
    it("count from the first look where the record was there before, and from what was learned of it", () => {
      const window = windowOf(points([[100, 5, 9], [110, 5, 12]]))
      assert.isTrue(window.isOlderThanSeen)
      assert.strictEqual(LagWindow.ageSeconds(window, { now: 120_000 }), 20)
      window.learn(5n, 40_000)
      assert.isFalse(window.isOlderThanSeen)
      assert.strictEqual(LagWindow.ageSeconds(window, { now: 120_000 }), 80)
    })
  })

  describe("rates", () => {
    it("are those of the window, and of what follows a step back", () => {
      assert.deepStrictEqual(LagWindow.rates(points([[0, 0, 100], [10, 50, 120]])), {
        consumedPerSecond: 5,
        producedPerSecond: 2
      })
      assert.deepStrictEqual(LagWindow.rates(points([[0, 90, 100], [10, 10, 110], [20, 30, 140]])), {
        consumedPerSecond: 2,
        producedPerSecond: 3
      })
      assert.deepStrictEqual(LagWindow.rates(points([[5, 1, 2]])), { consumedPerSecond: 0, producedPerSecond: 0 })
      assert.deepStrictEqual(LagWindow.rates([]), { consumedPerSecond: 0, producedPerSecond: 0 })
    })
    it("tell when the lag will be gone, or that it never will", () => {
      const drain = (lag: bigint, consumedPerSecond: number, producedPerSecond: number) =>
        LagWindow.secondsToDrain(lag, { consumedPerSecond, producedPerSecond })
      assert.strictEqual(drain(100n, 30, 10), 5)
      assert.strictEqual(drain(0n, 0, 0), 0)
      assert.isUndefined(drain(100n, 10, 10))
      assert.isUndefined(drain(100n, 0, 10))
      assert.isUndefined(drain(10n ** 15n, 10.0001, 10))
    })
  })

  /** A log and its reader, with the times of writing: what the samples are a view of. */
  const histories = fc.array(
    fc.record({
      seconds: fc.integer({ min: 1, max: 100 }),
      written: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 500 })),
      read: fc.integer({ min: 0, max: 400 })
    }),
    { minLength: 1, maxLength: 120 }
  )

  it("property: where timestamps are at hand, seconds are exact; else within the interval of the looks around", () => {
    fc.assert(fc.property(histories, fc.nat(), (steps, spread) => {
      const window = new LagWindow.LagWindow()
      const writtenAt: Array<number> = []
      const looks: Array<number> = []
      let now = 1_000_000
      let offset = 0
      window.push({ at: now, offset: 0n, end: 0n })
      looks.push(now)
      for (const { read, seconds, written } of steps) {
        const before = now
        now += seconds * 1_000
        // Anywhere between the two looks, in order.
        const times = Array.from({ length: written }, (_, i) => before + 1 + ((i * 7919 + spread) % (seconds * 1_000)))
        writtenAt.push(...times.sort((a, b) => a - b))
        offset = Math.min(writtenAt.length, offset + read)
        looks.push(now)
        window.push({ at: now, offset: BigInt(offset), end: BigInt(writtenAt.length) })
        const truth = writtenAt[offset] === undefined ? 0 : now - writtenAt[offset]
        const exact = LagWindow.ageSeconds(window, { now, oldestTimestamp: writtenAt[offset] })
        assert.strictEqual(exact, truth / 1_000)
        // With up to 32 looks all of them are remembered, and the answer lies between the two around the writing.
        if (truth > 0 && looks.length <= 32) {
          const guess = now - LagWindow.ageSeconds(window, { now }) * 1_000
          const next = looks.findIndex((look) => look >= writtenAt[offset]!)
          assert.isAtLeast(guess, looks[next - 1]! - 0.001)
          assert.isAtMost(guess, looks[next]! + 0.001)
        }
      }
    }))
  })

  it("property: whatever timestamps and offsets say, seconds are finite, not negative, and 0 exactly without lag", () => {
    const anything = fc.record({
      at: fc.integer({ min: 0, max: 2 ** 45 }),
      offset: fc.bigInt({ min: 0n, max: 2n ** 62n }),
      end: fc.bigInt({ min: 0n, max: 2n ** 62n })
    })
    const timestamps = fc.oneof(
      fc.constantFrom(undefined, 0, -1, Number.NaN, Infinity),
      fc.integer({ min: -(2 ** 45), max: 2 ** 46 })
    )
    fc.assert(fc.property(fc.array(anything, { maxLength: 60 }), timestamps, fc.integer({ min: 0, max: 2 ** 45 }), (
      all,
      oldestTimestamp,
      now
    ) => {
      const window = windowOf(all)
      const seconds = LagWindow.ageSeconds(window, { now, oldestTimestamp })
      assert.isTrue(Number.isFinite(seconds) && seconds >= 0)
      if (window.last === undefined || lagOf(window.last) === 0n) assert.strictEqual(seconds, 0)
      const rates = LagWindow.rates(window.points())
      assert.isTrue(Number.isFinite(rates.consumedPerSecond) && rates.consumedPerSecond >= 0)
      assert.isTrue(Number.isFinite(rates.producedPerSecond) && rates.producedPerSecond >= 0)
      const drain = LagWindow.secondsToDrain(lagOf(all.at(-1) ?? { offset: 0n, end: 0n }), rates)
      assert.isTrue(drain === undefined || (drain >= 0 && drain <= years))
    }))
  })
})
