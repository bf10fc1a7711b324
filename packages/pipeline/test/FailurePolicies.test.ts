import { assert, describe, it } from "@effect/vitest"
import * as Codec from "@weft/kafka/Codec"
import type { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import * as FaultPlan from "@weft/testing/FaultPlan"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as DeadLetter from "../src/DeadLetter.ts"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as Pipeline from "../src/Pipeline.ts"
import { advance, committedOf, common, dlqOf, Log, start, uneven, until, withCluster } from "./fixtures.ts"

class Flaky extends Data.TaggedError("Flaky")<{ readonly attempt: number }> {}
class Bad extends Data.TaggedError("Bad")<{ readonly cause: unknown }> {
  override readonly message = "no good"
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Reads a stored record's headers as a consumer would. */
const infoOf = (record: { readonly headers: ReadonlyArray<{ name: string; value: Uint8Array | null }> }) => {
  const header = (name: string) => record.headers.findLast((one) => one.name === name)?.value
  return DeadLetter.read({
    header,
    headerText: (name: string) => {
      const value = header(name)
      return value === undefined || value === null ? undefined : new TextDecoder().decode(value)
    }
  } as ConsumerRecord)
}

describe("failure policies", () => {
  for (const order of ["partition", "key", "none"] as const) {
    it.effect(`retries with growing pauses, order ${order} is kept, and nothing is committed before success`, () =>
      withCluster({ partitions: 2, records: 80 }, (cluster) =>
        Effect.gen(function*() {
          const log = new Log()
          const { running, stop } = yield* start(Pipeline.make({
            ...common,
            order,
            concurrency: 6,
            process: log.handler(uneven, (record) =>
              record.offset % 9n === 4n && record.attempt < 4
                ? Effect.fail(new Flaky({ attempt: record.attempt }))
                : Effect.void)
          }))
          yield* until(() => log.begun.some(({ attempt, offset }) => offset === 4 && attempt === 3), "some failed")
          const committed = yield* committedOf(cluster)
          if (log.done.every(({ offset, partition }) => offset !== 4 || partition !== 0)) {
            assert.isAtMost(committed[0] ?? 0, 4)
          }
          yield* until(() => log.done.length === 80, "all are processed")
          if (order === "partition") {
            for (const partition of [0, 1]) assert.deepStrictEqual(log.offsetsOf(partition), range(40))
          }
          for (const partition of [0, 1]) {
            const key = (seen: { key: string | null }) => seen.key === "k3"
            const offsets = log.done.filter((seen) => seen.partition === partition && key(seen)).map(({ offset }) =>
              offset
            )
            if (order !== "none") assert.deepStrictEqual(offsets, offsets.toSorted((a, b) => a - b))
          }
          yield* advance(100)
          assert.deepStrictEqual(yield* committedOf(cluster), { 0: 40, 1: 40 })
          const failing = range(40).filter((i) => i % 9 === 4).length * 2
          assert.deepInclude(yield* running.totals, {
            processed: 80,
            retries: failing * 3,
            failures: failing * 3,
            deadLetters: 0
          })
          yield* stop
        })))
  }

  it.effect("a record that waits for its next attempt holds neither a worker nor the other partitions", () =>
    withCluster({ partitions: 2, records: 40 }, () =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          concurrency: 1,
          retry: Schedule.spaced("1 minute"),
          process: log.handler(() => 5, (record) =>
            record.partition === 0 && record.offset === 0n && record.attempt === 1
              ? Effect.fail(new Flaky({ attempt: 1 }))
              : Effect.void)
        }))
        yield* until(() => log.offsetsOf(1).length === 20, "the other partition is done", 5_000)
        assert.deepStrictEqual(log.offsetsOf(0), [])
        yield* until(() => log.done.length === 40, "all are done", 90_000)
        yield* stop
      })))

  it.effect("after the last attempt the record is a dead letter: same bytes, headers, partition, and why", () =>
    withCluster({ partitions: 3 }, (cluster) =>
      Effect.gen(function*() {
        const own = [
          { name: "a", value: Buffer.from("1") },
          { name: "a", value: Buffer.from([0xff]) },
          { name: "n", value: null },
          { name: DeadLetter.headerNames.exceptionMessage, value: Buffer.from("of an earlier life") }
        ]
        yield* cluster.append("in", [{ partition: 2, key: "k", value: "poison", headers: own, timestamp: 1234 }])
        yield* cluster.append("in", [{ partition: 2, key: "k", value: "fine" }])
        const log = new Log()
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          process: log.handler(() => 5, (record) =>
            record.value === "poison" ? Effect.fail(new Bad({ cause: new TypeError("inner") })) : Effect.void),
          onFailure: { Bad: FailurePolicy.retry({ attempts: 3 }) }
        }))
        yield* until(() =>
          log.done.length === 1, "the one behind it is processed")
        yield* advance(100)
        assert.strictEqual(log.begun.filter(({ offset }) => offset === 0).length, 3)
        assert.deepStrictEqual(yield* committedOf(cluster), { 2: 2 })
        const [letter, ...others] = yield* dlqOf(cluster)
        assert.isEmpty(others)
        assert.strictEqual(letter!.partition, 2)
        assert.deepStrictEqual(Buffer.from(letter!.key!).toString(), "k")
        assert.deepStrictEqual(Buffer.from(letter!.value!).toString(), "poison")
        assert.deepStrictEqual(letter!.headers.slice(0, 3), own.slice(0, 3))
        assert.lengthOf(letter!.headers.filter(({ name }) => name === DeadLetter.headerNames.exceptionMessage), 1)
        assert.deepInclude(infoOf(letter!), {
          topic: "in",
          partition: 2,
          offset: 0n,
          timestamp: 1234,
          timestampType: "CreateTime",
          consumerGroup: "group",
          exception: "Bad",
          exceptionCause: "TypeError",
          message: "no good",
          attempts: 3
        })
        const raw = (name: string) => letter!.headers.find((header) => header.name === name)?.value
        assert.deepStrictEqual(Buffer.from(raw("kafka_dlt-original-partition")!), Buffer.from([0, 0, 0, 2]))
        assert.strictEqual(raw("kafka_dlt-original-offset")!.length, 8)
        const admin = yield* cluster.transport.admin
        const [topic] = yield* admin.describeTopics(["in.dlq"])
        assert.lengthOf(topic!.partitions, 3)
        assert.deepInclude(yield* running.totals, { processed: 2, deadLetters: 1, retries: 2, failures: 3 })
        yield* stop
      })))

  it.effect("1 at least once: while the dead-letter topic is away its partition waits, uncommitted", () =>
    withCluster({ partitions: 2, records: 20 }, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in.dlq", { partitions: 2 })
        yield* cluster.apply(FaultPlan.fail("produce", "NOT_ENOUGH_REPLICAS", { times: 1e9 }))
        const log = new Log()
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          process: log.handler(uneven, (record) =>
            record.partition === 0 && record.offset === 3n ? Effect.die("a bug") : Effect.void),
          onFailure: { Defect: FailurePolicy.deadLetter }
        }))
        yield* until(() =>
          log.offsetsOf(1).length === 10, "the other partition goes on")
        yield* advance(120_000, 100)
        assert.deepStrictEqual(log.offsetsOf(0), [0, 1, 2])
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 3, 1: 10 })
        assert.isEmpty(yield* dlqOf(cluster))
        yield* cluster.clearFaults
        yield* until(() => log.offsetsOf(0).length === 9, "it goes on", 60_000)
        yield* advance(100)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 10, 1: 10 })
        assert.lengthOf(yield* dlqOf(cluster), 1)
        assert.strictEqual((yield* running.totals).deadLetters, 1)
        assert.lengthOf(log.begun.filter(({ offset, partition }) => partition === 0 && offset === 3), 1)
        yield* stop
      })))

  it.effect("6 bad input: what cannot be decoded goes to its policy without a retry; 0 bytes are no JSON", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.append("in", [
          { value: "{\"n\":1}" },
          { value: "{" },
          { value: "" },
          { value: "{\"n\":\"one\"}" },
          { value: "{\"n\":2}", headers: [{ name: "x", value: Buffer.from([0xc3, 0x28]) }] }
        ])
        const seen: Array<number> = []
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          value: Codec.json(Schema.Struct({ n: Schema.Finite })),
          process: (record) =>
            Effect.sync(() => {
              record.headerText("x")
              seen.push(record.value!.n)
            })
        }))
        yield* until(() => seen.length === 2, "the good ones are processed")
        yield* advance(100)
        assert.deepStrictEqual(seen, [1, 2])
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 5 })
        const letters = yield* dlqOf(cluster)
        assert.deepStrictEqual(letters.map(({ value }) => Buffer.from(value!).toString()), ["{", "", "{\"n\":\"one\"}"])
        for (const letter of letters) assert.deepInclude(infoOf(letter), { exception: "DecodeError", attempts: 1 })
        assert.deepInclude(yield* running.totals, { retries: 0, deadLetters: 3, failures: 3 })
        yield* stop
      })))

  it.effect("6 bad input: a tombstone is null, or skipped, or a dead letter, as the pipeline says", () =>
    withCluster({}, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.append("in", [{ key: "a", value: "1" }, { key: "b", value: null }, { key: "c", value: "" }])
        const values: Array<string | null> = []
        const remember = (value: string | null) =>
          Effect.sync(() => {
            values.push(value)
          })
        for (const tombstones of ["process", "skip", "dead-letter"] as const) {
          values.length = 0
          const { running, stop } = yield* start(Pipeline.make({
            ...common,
            overrides: { ...common.overrides, groupId: tombstones },
            // Of each of the three; the type is that of the widest.
            tombstones: tombstones as "process",
            process: (record) => remember(record.value)
          }))
          yield* advance(300)
          assert.deepStrictEqual(values, tombstones === "process" ? ["1", null, ""] : ["1", ""])
          assert.deepStrictEqual(yield* committedOf(cluster, tombstones), { 0: 3 })
          assert.deepInclude(yield* running.totals, {
            processed: 3,
            skipped: tombstones === "skip" ? 1 : 0,
            deadLetters: tombstones === "dead-letter" ? 1 : 0
          })
          yield* stop
        }
        const [letter] = yield* dlqOf(cluster)
        assert.isNull(letter!.value)
        assert.strictEqual(Buffer.from(letter!.key!).toString(), "b")
      })))

  it.effect("skip settles the record and goes on", () =>
    withCluster({ records: 10 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { running, stop } = yield* start(Pipeline.make({
          ...common,
          process: log.handler(() => 1, (record) =>
            record.offset === 4n ? Effect.fail(new Flaky({ attempt: record.attempt })) : Effect.void),
          onFailure: { Flaky: FailurePolicy.retry({ attempts: 2, finally: "skip" }) }
        }))
        yield* until(() =>
          log.done.length === 9, "the others are processed")
        yield* advance(100)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 10 })
        assert.deepInclude(yield* running.totals, { skipped: 1, retries: 1, deadLetters: 0 })
        yield* stop
      })))

  it.effect("halt fails the pipeline; the record and what is behind it are not committed, others are", () =>
    withCluster({ partitions: 2, records: 40 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const fiber = yield* Effect.forkChild(Effect.result(Pipeline.run(Pipeline.make({
          ...common,
          process: log.handler(uneven, (record) =>
            record.partition === 1 && record.offset === 7n ? Effect.fail(new Bad({ cause: "x" })) : Effect.void),
          onFailure: { Bad: FailurePolicy.halt }
        }))))
        yield* until(() =>
          fiber.pollUnsafe() !== undefined, "it has failed")
        const result = yield* Fiber.join(fiber)
        if (Result.isSuccess(result)) {
          return assert.fail("it must fail")
        }
        assert.deepInclude(result.failure, { _tag: "HaltedError", topic: "in", partition: 1, offset: 7n, attempts: 1 })
        const committed = yield* committedOf(cluster)
        assert.strictEqual(committed[1], 7)
        assert.strictEqual(committed[0], log.offsetsOf(0).length)
        assert.deepStrictEqual(log.offsetsOf(1), range(7))
        assert.isEmpty((yield* cluster.group("group")).members)
      })))

  it.effect("a schedule of one's own, stepped anew for each record; where it ends comes the dead letter", () =>
    withCluster({ records: 2 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          process: log.handler(() => 0, () => Effect.fail(new Flaky({ attempt: 0 }))),
          onFailure: {
            otherwise: FailurePolicy.retry({ schedule: Schedule.spaced("1 second").pipe(Schedule.upTo({ times: 2 })) })
          }
        }))
        yield* advance(10_000)
        assert.deepStrictEqual(log.begun.map(({ attempt, offset }) => [offset, attempt]), [
          [0, 1],
          [0, 2],
          [0, 3],
          [1, 1],
          [1, 2],
          [1, 3]
        ])
        assert.lengthOf(yield* dlqOf(cluster), 2)
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 2 })
        yield* stop
      })))

  it.effect("a handler that interrupts itself, throws, or dies is a defect and not the end of a worker", () =>
    withCluster({ records: 4 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const inner = log.handler(() => 1)
        const { stop } = yield* start(Pipeline.make({
          ...common,
          concurrency: 1,
          process: (record) => {
            if (record.offset === 0n) throw new RangeError("thrown")
            return record.offset === 1n ? Effect.interrupt : record.offset === 2n ? Effect.die("dead") : inner(record)
          },
          onFailure: { Defect: FailurePolicy.deadLetter }
        }))
        yield* until(() => log.done.length === 1, "the last one is processed")
        yield* advance(100)
        assert.deepStrictEqual((yield* dlqOf(cluster)).map((letter) => infoOf(letter)?.exception), [
          "RangeError",
          "Error",
          "string"
        ])
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 4 })
        yield* stop
      })))

  it.effect("the dead-letter topic may have another name and fewer partitions; without create it must exist", () =>
    withCluster({ partitions: 3, records: 3 }, (cluster) =>
      Effect.gen(function*() {
        const log = new Log()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          process: log.handler(() => 0, () => Effect.fail(new Flaky({ attempt: 0 }))),
          onFailure: { Flaky: FailurePolicy.deadLetter },
          deadLetter: { topic: (topic) => `dead.${topic}`, create: false }
        }))
        yield* advance(1_000)
        assert.deepStrictEqual(yield* committedOf(cluster), {})
        assert.notInclude(yield* Effect.flatMap(cluster.transport.admin, (admin) => admin.listTopics), "dead.in")
        yield* cluster.createTopic("dead.in", { partitions: 2 })
        yield* advance(60_000, 50)
        const letters = yield* dlqOf(cluster, "dead.in")
        assert.deepStrictEqual(
          letters.map((letter) => `${letter.partition} of ${infoOf(letter)?.partition}`).toSorted((a, b) =>
            a < b ? -1 : 1
          ),
          ["0 of 0", "0 of 2", "1 of 1"]
        )
        assert.deepStrictEqual(yield* committedOf(cluster), { 0: 1, 1: 1, 2: 1 })
        yield* stop
      })))
})
