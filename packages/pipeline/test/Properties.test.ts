/** Random pipelines on random records: whatever the latencies and the failures, the contract holds. */
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as Pipeline from "../src/Pipeline.ts"
import { advance, committedOf, common, dlqOf, Log, start, until, withCluster } from "./fixtures.ts"

class Flaky extends Data.TaggedError("Flaky")<{}> {}
class Poison extends Data.TaggedError("Poison")<{}> {}

/** Evenly spread over 0 to 1, by the record and the attempt alone. */
const chance = (...parts: ReadonlyArray<number>): number => {
  let hash = 2166136261
  for (const part of parts) {
    hash = Math.imul(hash ^ part, 2246822507)
    hash = Math.imul(hash ^ (hash >>> 13), 3266489909)
    hash ^= hash >>> 16
  }
  return (hash >>> 0) / 2 ** 32
}

const scenario = fc.record({
  seed: fc.nat(),
  order: fc.constantFrom("partition" as const, "key" as const, "none" as const),
  partitions: fc.integer({ min: 1, max: 4 }),
  keys: fc.integer({ min: 1, max: 9 }),
  records: fc.integer({ min: 1, max: 80 }),
  concurrency: fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
  maxInFlight: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
  maxPollRecords: fc.integer({ min: 1, max: 30 }),
  flaky: fc.constantFrom(0, 0.1, 0.4),
  poison: fc.constantFrom(0, 0.05),
  restartAfter: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined })
})

const run = (given: typeof scenario extends fc.Arbitrary<infer A> ? A : never) => {
  const { keys, order, partitions, records, seed } = given
  const isPoison = (partition: number, offset: number) => chance(seed, 1, partition, offset) < given.poison
  return withCluster({ partitions, records, keys }, (cluster) =>
    Effect.gen(function*() {
      const log = new Log()
      const pipeline = Pipeline.make({
        ...common,
        order,
        concurrency: given.concurrency,
        maxInFlight: given.maxInFlight,
        overrides: { ...common.overrides, maxPollRecords: given.maxPollRecords },
        process: log.handler(
          (record) => {
            const c = chance(seed, 2, record.partition, Number(record.offset), record.attempt)
            return c < 0.1 ? 400 * c * 10 : c < 0.5 ? 20 * c : 0
          },
          (record): Effect.Effect<void, Flaky | Poison> =>
            isPoison(record.partition, Number(record.offset))
              ? Effect.fail(new Poison())
              : chance(seed, 3, record.partition, Number(record.offset), record.attempt) < given.flaky
              ? Effect.fail(new Flaky())
              : Effect.void
        ),
        onFailure: {
          Flaky: FailurePolicy.retry({ schedule: Schedule.spaced("70 millis") }),
          Poison: FailurePolicy.deadLetter
        }
      })
      const poisoned = Array.from({ length: records }, (_, i) =>
        i).filter((i) => isPoison(i % partitions, Math.floor(i / partitions))).length
      let member = yield* start(pipeline)
      if (given.restartAfter !== undefined) {
        const enough = Math.min(given.restartAfter, records - poisoned)
        yield* until(
          () =>
            log.done.length >= enough,
          "some are done",
          600_000,
          100
        )
        yield* member.stop
        member = yield* start(pipeline)
      }
      yield* until(() => log.done.length >= records - poisoned, "all are done", 600_000, 100)
      // Where all that is left is poison, this is the time to join and to write the letters.
      yield* advance(10_000, 100)
      assert.strictEqual((yield* member.running.totals).inFlight, 0)
      yield* member.stop

      const places = log.done.map(({ offset, partition }) => `${partition}@${offset}`)
      assert.strictEqual(new Set(places).size, places.length, "each once, also over the restart")
      const letters = poisoned === 0 ? [] : yield* dlqOf(cluster)
      assert.strictEqual(places.length + letters.length, records, "nothing is lost")
      for (let partition = 0; partition < partitions; partition++) {
        const own = log.done.filter((seen) => seen.partition === partition)
        const inOrder = (seen: typeof own) => seen.every((one, i) => i === 0 || seen[i - 1]!.offset < one.offset)
        if (order === "partition") assert.isTrue(inOrder(own), "order of the partition")
        if (order === "key") {
          for (let key = 0; key < keys; key++) {
            assert.isTrue(inOrder(own.filter((seen) => seen.key === `k${key}`)), "order of the key")
          }
        }
      }
      const expected = Object.fromEntries(
        Array.from({ length: Math.min(partitions, records) }, (_, partition) => [
          partition,
          Math.ceil((records - partition) / partitions)
        ])
      )
      assert.deepStrictEqual(yield* committedOf(cluster), expected)
    })).pipe(
      Effect.provide(TestClock.layer()),
      Effect.provideService(References.MinimumLogLevel, "Error")
    )
}

const assertAll = () => fc.assert(fc.asyncProperty(scenario, (given) => Effect.runPromise(run(given))), { numRuns: 20 })

describe("properties", () => {
  it("order kept, nothing lost, nothing repeated, everything committed", () => assertAll(), 120_000)
})
