import { assert, describe, it } from "@effect/vitest"
import { Progress } from "../src/contenders/Contender.ts"
import { Laps } from "../src/contenders/laps.ts"
import { type Seen, together } from "../src/contenders/together.ts"

/** Sums what it is told. */
const counter = () => {
  const total = { records: 0, bytes: 0 }
  return {
    total,
    seen: (records: number, bytes: number) => {
      total.records += records
      total.bytes += bytes
    }
  }
}

describe("a topic that is read again and again", () => {
  it("begins anew after its last record, and only then", () => {
    const counted = counter()
    let rewound = 0
    const laps = new Laps(10, counted, () => rewound++)
    const after = [4, 5, 1, 10, 9].map((records) => {
      laps.seen(records, 2 * records)
      return rewound
    })
    assert.deepStrictEqual(after, [0, 0, 1, 2, 2])
    assert.deepStrictEqual(counted.total, { records: 29, bytes: 58 })
  })
})

describe("the progress of a run", () => {
  it("ends with as many records as are expected", async () => {
    const progress = new Progress(3)
    progress.seen(1, 5)
    assert.throws(() => progress.result(), /not ended/)
    progress.seen(2, 10)
    await progress.done
    const { bytes, records } = progress.result()
    assert.deepStrictEqual({ bytes, records }, { bytes: 15, records: 3 })
  })

  it("ends not sooner than it should last, and what comes later does not count as speed", async () => {
    const lastsMs = 50
    const progress = new Progress(3, lastsMs)
    const from = performance.now()
    progress.seen(1, 1)
    progress.seen(1_000, 1_000)
    assert.throws(() => progress.result(), /not ended/)
    await progress.done
    assert.isAtLeast(performance.now() - from, lastsMs - 2)
    const { recordsPerSecond } = progress.result()
    assert.isAtMost(recordsPerSecond, 1_000 / ((lastsMs - 2) / 1_000))
    progress.seen(1_000_000, 1_000_000)
    assert.strictEqual(progress.result().recordsPerSecond, recordsPerSecond)
    assert.strictEqual(progress.result().records, 1_001_001)
  })

  it("does not end without the records, however long it lasts", async () => {
    const progress = new Progress(3, 1)
    progress.seen(1, 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.throws(() => progress.result(), /not ended/)
    progress.seen(2, 2)
    await progress.done
    assert.strictEqual(progress.result().records, 3)
  })
})

describe("consumers that read together", () => {
  it("count from when the last of them has seen something", () => {
    const counted = counter()
    const [first, second] = together(2, counted) as [Seen, Seen]
    first.seen(5, 5)
    first.seen(5, 5)
    assert.strictEqual(counted.total.records, 0)
    second.seen(5, 5)
    assert.strictEqual(counted.total.records, 0)
    first.seen(1, 2)
    second.seen(1, 2)
    assert.deepStrictEqual(counted.total, { records: 2, bytes: 4 })
  })
})
