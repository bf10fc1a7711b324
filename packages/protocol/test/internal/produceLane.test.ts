import { assert, describe, it } from "@effect/vitest"
import { type KafkaError, ProduceError } from "@weft/kafka/KafkaError"
import type { OutgoingRecord } from "@weft/kafka/Transport"
import * as fc from "fast-check"
import { ProduceLane } from "../../src/internal/produceLane.ts"

const padding = Buffer.alloc(1_000_000)

const record = (text: string, size = 0): OutgoingRecord => ({
  key: Buffer.from(text),
  value: padding.subarray(0, size),
  headers: []
})

const error = new ProduceError({ topic: "t", partition: 0, code: "X", retriable: false, cause: undefined })

/** What the parts of a lane have heard. */
const listen = (lane: ProduceLane) => {
  const heard: Array<readonly [string, bigint | KafkaError]> = []
  const add = (name: string, records: ReadonlyArray<OutgoingRecord>, deadline = 100) =>
    lane.add({
      records,
      deadline,
      onWritten: (offset) => heard.push([name, offset]),
      onFailed: (failure) => heard.push([name, failure])
    })
  return { heard, add }
}

const texts = (records: ReadonlyArray<OutgoingRecord>): string =>
  records.map(({ key }) => Buffer.from(key!).toString()).join("")

describe("produceLane", () => {
  it("puts what waits into one batch, and tells each part its own first offset", () => {
    const lane = new ProduceLane("t", 0)
    const { add, heard } = listen(lane)
    add("one", [record("a"), record("b")])
    add("two", [record("c")])
    const batch = lane.take()
    assert.strictEqual(texts(batch.records), "abc")
    assert.isFalse(lane.isReady(0))
    lane.written(batch, 40n)
    assert.deepStrictEqual(heard, [["one", 40n], ["two", 42n]])
    assert.isTrue(lane.isIdle)
  })

  it("sends the same batch again, and nothing that came meanwhile with it", () => {
    const lane = new ProduceLane("t", 0)
    const { add } = listen(lane)
    add("one", [record("a")])
    const batch = lane.take()
    add("two", [record("b")])
    lane.again(50)
    assert.isFalse(lane.isReady(49))
    assert.isTrue(lane.isReady(50))
    assert.strictEqual(lane.take(), batch)
    lane.written(batch, 0n)
    const next = lane.take()
    assert.deepStrictEqual([texts(next.records), next.baseSequence], ["b", 1])
  })

  it("a refused batch gives its sequence back", () => {
    const lane = new ProduceLane("t", 0)
    const { add, heard } = listen(lane)
    lane.identity = { producerId: 1n, producerEpoch: 0 }
    add("one", [record("a"), record("b")])
    lane.fail(lane.take(), error)
    add("two", [record("c")])
    assert.deepStrictEqual(heard, [["one", error]])
    assert.deepStrictEqual([lane.take().baseSequence, lane.identity?.producerId], [0, 1n])
  })

  it("a batch that failed and may have been written takes its identity with it", () => {
    const lane = new ProduceLane("t", 0)
    const { add } = listen(lane)
    lane.identity = { producerId: 1n, producerEpoch: 0 }
    add("one", [record("a")])
    const batch = lane.take()
    batch.ambiguous = true
    lane.fail(batch, error)
    add("two", [record("b")])
    assert.deepStrictEqual([lane.take().baseSequence, lane.identity], [0, undefined])
  })

  it("begins anew where the broker does not know it, with the same records", () => {
    const lane = new ProduceLane("t", 0)
    const { add, heard } = listen(lane)
    add("one", [record("a")])
    lane.written(lane.take(), 0n)
    add("two", [record("b"), record("c")])
    const batch = lane.take()
    batch.bytes = Buffer.from("encoded")
    lane.anew(0)
    const again = lane.take()
    assert.deepStrictEqual([texts(again.records), again.baseSequence, again.bytes], ["bc", 0, undefined])
    lane.written(again, 1n)
    add("three", [record("d")])
    assert.strictEqual(lane.take().baseSequence, 2)
    assert.deepStrictEqual(heard, [["one", 0n], ["two", 1n]])
  })

  it("splits what is too large down to one record, in order", () => {
    const lane = new ProduceLane("t", 0)
    const { add, heard } = listen(lane)
    add("one", ["a", "b", "c", "d"].map((text) => record(text, 100)))
    add("two", [record("e", 100)])
    const written: Array<string> = []
    let offset = 0n
    while (!lane.isIdle) {
      const batch = lane.take()
      if (batch.records.length > 1) assert.isTrue(lane.split(batch))
      else {
        assert.isFalse(lane.split(batch))
        assert.strictEqual(batch.baseSequence, written.length)
        written.push(texts(batch.records))
        lane.written(batch, offset++)
      }
    }
    assert.deepStrictEqual(written, ["a", "b", "c", "d", "e"])
    assert.deepStrictEqual(heard, [["one", 0n], ["two", 4n]])
  })

  it("a part that failed half-way sends nothing more of itself", () => {
    const lane = new ProduceLane("t", 0)
    const { add, heard } = listen(lane)
    add("one", Array.from({ length: 3 }, (_, i) => record(String(i), 600_000)))
    add("two", [record("z")])
    lane.written(lane.take(), 0n)
    lane.fail(lane.take(), error)
    assert.deepStrictEqual(heard, [["one", error]])
    assert.strictEqual(texts(lane.take().records), "z")
  })

  it("a part that nobody waits for any more is not sent", () => {
    const lane = new ProduceLane("t", 0)
    const { add, heard } = listen(lane)
    const one = add("one", [record("a")])
    add("two", [record("b")])
    lane.cancel(one)
    const batch = lane.take()
    assert.strictEqual(texts(batch.records), "b")
    lane.written(batch, 0n)
    assert.deepStrictEqual(heard, [["two", 0n]])
  })

  it("goes by the last deadline in a batch", () => {
    const lane = new ProduceLane("t", 0)
    const { add } = listen(lane)
    add("one", [record("a")], 10)
    add("two", [record("b")], 20)
    assert.strictEqual(lane.take().deadline, 20)
  })

  it("tells everyone at the end", () => {
    const lane = new ProduceLane("t", 0)
    const { add, heard } = listen(lane)
    add("one", [record("a")])
    lane.take()
    add("two", [record("b")])
    lane.failAll(error)
    assert.deepStrictEqual(heard, [["one", error], ["two", error]])
    assert.isTrue(lane.isIdle)
  })

  it("whatever the broker answers: no record is skipped or swapped, and no sequence is used for two batches", () => {
    const steps = fc.array(fc.constantFrom("written", "again", "anew", "split", "fail"), { maxLength: 60 })
    const parts = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 })
    fc.assert(fc.property(parts, steps, (sizes, answers) => {
      const lane = new ProduceLane("t", 0)
      const { add, heard } = listen(lane)
      let id = 0n
      let name = 0
      const all = sizes.map((size) => Array.from({ length: size }, () => `(${name++})`))
      all.forEach((names, i) => add(String(i), names.map((text) => record(text, 150_000))))
      const log: Array<string> = []
      // What the broker knows: the next sequence for each identity.
      const expected = new Map<bigint, number>()
      for (let turn = 0; !lane.isIdle; turn++) {
        const batch = lane.take()
        lane.identity ??= { producerId: ++id, producerEpoch: 0 }
        const { producerId } = lane.identity
        const answer = answers[turn] ?? "written"
        if (answer === "written" || (answer === "split" && batch.records.length === 1)) {
          assert.strictEqual(batch.baseSequence, expected.get(producerId) ?? 0)
          expected.set(producerId, batch.baseSequence + batch.records.length)
          lane.written(batch, BigInt(log.length))
          log.push(...batch.records.map((one) => texts([one])))
        } else if (answer === "again") lane.again(0)
        else if (answer === "anew") lane.anew(0)
        else if (answer === "split") lane.split(batch)
        else lane.fail(batch, error)
      }
      assert.strictEqual(heard.length, sizes.length)
      const failed = new Set(heard.filter(([, result]) => typeof result !== "bigint").map(([who]) => Number(who)))
      // Of a part that was told to be written every record is there, once, from the offset that was told.
      heard.forEach(([who, result]) => {
        if (typeof result !== "bigint") return
        assert.deepStrictEqual(log.slice(Number(result), Number(result) + 1), [all[Number(who)]![0]])
      })
      const whole = all.filter((_, i) => !failed.has(i)).flat()
      assert.deepStrictEqual(log.filter((text) => whole.includes(text)), whole)
      assert.deepStrictEqual(log, log.toSorted((a, b) => Number(a.slice(1, -1)) - Number(b.slice(1, -1))))
    }))
  })
})
