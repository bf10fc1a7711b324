import { assert, describe, it } from "@effect/vitest"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Admin from "../src/Admin.ts"
import * as OffsetTimes from "../src/OffsetTimes.ts"

const now = 1_760_000_000_000
const seconds = 1_000
const days = 86_400 * seconds

/** Counts requests for offsets. */
const counting = Effect.gen(function*() {
  const admin = yield* Admin.Admin
  const count = { requests: 0, lookups: 0 }
  return {
    count,
    admin: Admin.Admin.of({
      ...admin,
      listOffsets: (partitions, at) =>
        Effect.suspend(() => {
          count.requests++
          count.lookups += partitions.length
          return admin.listOffsets(partitions, at)
        })
    })
  }
})

const withTopic = <A, E>(
  timestamps: ReadonlyArray<ReadonlyArray<number>>,
  test: Effect.Effect<A, E, Admin.Admin>
) =>
  Effect.gen(function*() {
    const cluster = yield* MemoryCluster.MemoryCluster
    yield* cluster.createTopic("in", { partitions: timestamps.length })
    yield* cluster.append(
      "in",
      timestamps.flatMap((all, partition) => all.map((timestamp) => ({ partition, timestamp, value: "v" })))
    )
    return yield* test
  }).pipe(Effect.provide(Layer.provideMerge(Admin.layer, MemoryCluster.layerWith())))

const at = (partition: number, offset: number) => ({ topic: "in", partition, offset: BigInt(offset) })

describe("OffsetTimes", () => {
  const ages = [0, 300, 1_500, 9_000, 61_000, 3_600_000, 5 * days, 90 * days, 364 * days]

  it.effect("finds when each record was written, within a twentieth of its age", () =>
    withTopic(
      [ages.toReversed().map((age) => now - age), [now - 7 * seconds]],
      Effect.gen(function*() {
        const places = [at(1, 0), ...ages.map((_, i) => at(0, i))]
        const found = yield* OffsetTimes.writtenAt(places, now)
        assert.deepStrictEqual(found.map(({ offset, partition, topic }) => ({ topic, partition, offset })), places)
        for (const [i, age] of [7 * seconds, ...ages.toReversed()].entries()) {
          assert.closeTo(now - found[i]!.writtenAt!, age, Math.max(500, age / 20))
        }
      })
    ))

  it.effect("knows what it cannot tell: older than a year, no timestamp, seconds for milliseconds", () =>
    withTopic(
      [[now - 400 * days], [0], [-1], [now / 1_000], [now + days]],
      Effect.gen(function*() {
        const found = yield* OffsetTimes.writtenAt([0, 1, 2, 3, 4].map((partition) => at(partition, 0)), now)
        assert.deepStrictEqual(found.slice(0, 4).map(({ writtenAt }) => writtenAt), [
          undefined,
          undefined,
          undefined,
          undefined
        ])
        // From the future: now.
        assert.closeTo(found[4]!.writtenAt!, now, 500)
        assert.deepStrictEqual(yield* OffsetTimes.writtenAt([], now), [])
      })
    ))

  it.effect("asks for many partitions at once: eight look-ups each", () =>
    withTopic(
      Array.from({ length: 500 }, (_, i) => [now - 60 * seconds - i]),
      Effect.gen(function*() {
        const { admin, count } = yield* counting
        yield* Effect.provideService(
          OffsetTimes.writtenAt(Array.from({ length: 500 }, (_, i) => at(i, 0)), now),
          Admin.Admin,
          admin
        )
        assert.isAtMost(count.lookups, 500 * 8)
        assert.isAtMost(count.requests, 8)
      })
    ))
})
