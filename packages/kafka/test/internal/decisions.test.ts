import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { emptiestFirst } from "../../src/FetchStrategy.ts"
import { plan } from "../../src/internal/assignmentPlan.ts"
import { delay, promptIntervalMs } from "../../src/internal/commitSchedule.ts"
import { murmur2, ofKey } from "../../src/internal/partitioner.ts"
import { type Observation, observe, type Progress } from "../../src/internal/stall.ts"
import * as Subscription from "../../src/Subscription.ts"
import { make } from "../../src/TopicPartition.ts"

const partitions = fc.uniqueArray(fc.nat({ max: 12 })).map((numbers) => numbers.map((number) => make("t", number)))
const keys = (all: ReadonlyArray<{ readonly key: string }>) => all.map(({ key }) => key).sort()

describe("assignmentPlan", () => {
  it("kept and added are the target; kept and revoked are what was held", () => {
    fc.assert(fc.property(partitions, partitions, (held, assigned) => {
      const { added, kept, revoked } = plan(held, assigned)
      assert.deepStrictEqual(keys([...kept, ...added]), keys(assigned))
      assert.deepStrictEqual(keys([...kept, ...revoked]), keys(held))
    }))
  })
})

describe("commitSchedule", () => {
  const state = { settled: 1, firstSettledAt: 1000, lastCommitAt: -Infinity, now: 1000 }
  it("waits for the interval after the first settled record", () => {
    assert.strictEqual(delay({ records: 500, intervalMs: 5000 }, state), 5000)
    assert.strictEqual(delay({ records: 500, intervalMs: 5000 }, { ...state, now: 5999 }), 1)
    assert.strictEqual(delay({ records: 500, intervalMs: 5000 }, { ...state, now: 9000 }), 0)
  })
  it("does not wait for the interval once enough records are settled", () => {
    assert.strictEqual(delay({ records: 500, intervalMs: 5000 }, { ...state, settled: 500 }), 0)
  })
  it("keeps two commits apart", () => {
    assert.strictEqual(delay({ records: 1, intervalMs: 0 }, { ...state, lastCommitAt: 999 }), promptIntervalMs - 1)
  })
})

describe("stall", () => {
  const step = (
    before: Progress | undefined,
    watermark: bigint,
    now: number,
    more: Partial<Observation> = {}
  ) => observe(before, { watermark, settled: 0, epoch: 1, pending: true, attended: () => true, ...more }, now, 1000)
  it("reports once when nothing was settled for the limit, and again after it moved", () => {
    let { progress, stalledForMs } = step(undefined, 5n, 0)
    assert.isUndefined(stalledForMs)
    ;({ progress, stalledForMs } = step(progress, 5n, 999))
    assert.isUndefined(stalledForMs)
    ;({ progress, stalledForMs } = step(progress, 5n, 1000))
    assert.strictEqual(stalledForMs, 1000)
    ;({ progress, stalledForMs } = step(progress, 5n, 3000))
    assert.isUndefined(stalledForMs)
    ;({ progress, stalledForMs } = step(progress, 6n, 3500))
    ;({ progress, stalledForMs } = step(progress, 6n, 4500))
    assert.strictEqual(stalledForMs, 1000)
  })
  it("an idle partition, and one that a seek moved, never stalls", () => {
    const { progress } = step(undefined, 5n, 0)
    assert.isUndefined(step(progress, 5n, 5000, { pending: false }).stalledForMs)
    assert.isUndefined(step(progress, 5n, 5000, { epoch: 2 }).stalledForMs)
  })
  it("a record that someone works on stalls its partition though others go on; one that waits for its next attempt does not", () => {
    for (const isAttended of [true, false]) {
      let { progress } = step(undefined, 5n, 0)
      let stalls = 0
      for (let now = 100; now <= 5_000; now += 100) {
        const seen = step(progress, 5n, now, { settled: now, attended: () => isAttended })
        progress = seen.progress
        if (seen.stalledForMs !== undefined) stalls++
      }
      assert.strictEqual(stalls, isAttended ? 1 : 0)
    }
  })
})

describe("partitioner", () => {
  // The values of Kafka's own UtilsTest.
  it("is Kafka's murmur2", () => {
    const cases: ReadonlyArray<readonly [string, number]> = [
      ["21", -973932308],
      ["foobar", -790332482],
      ["a-little-bit-long-string", -985981536],
      ["a-little-bit-longer-string", -1486304829],
      ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971]
    ]
    for (const [text, hash] of cases) assert.strictEqual(murmur2(Buffer.from(text)), hash, text)
  })
  it("stays within the partitions", () => {
    fc.assert(fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 1000 }), (key, count) => {
      const partition = ofKey(key, count)
      assert.isTrue(partition >= 0 && partition < count)
    }))
  })
})

describe("FetchStrategy", () => {
  it("resumes the emptiest first, as many as there is room for, and at least one", () => {
    const candidates = [300, 100, 200].map((bytes, partition) => ({
      topicPartition: make("t", partition),
      records: 1,
      bytes
    }))
    const chosen = (budgetBytes: number) =>
      emptiestFirst(candidates, { budgetBytes, fetchBytes: 10 }).map(({ partition }) => partition)
    assert.deepStrictEqual(chosen(25), [1, 2])
    assert.deepStrictEqual(chosen(0), [1])
    assert.deepStrictEqual(chosen(1000), [1, 2, 0])
  })
})

describe("Subscription", () => {
  it("a pattern means whole names, and never Kafka's internal topics", () => {
    const names = ["a", "ab", "b.a", "__consumer_offsets", "A"]
    assert.deepStrictEqual(Subscription.matching(/a/, names), ["a"])
    assert.deepStrictEqual(Subscription.matching(/.*a.*/g, names), ["a", "ab", "b.a"])
    assert.deepStrictEqual(Subscription.matching(/.*/i, names), ["A", "a", "ab", "b.a"])
    assert.deepStrictEqual(Subscription.matching(/a|b\.a/, names), ["a", "b.a"])
  })
})
