import { assert, describe, it } from "@effect/vitest"
import { Admin, layer as adminLayer } from "@weft/kafka/Admin"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { matches } from "../src/internal/globs.ts"
import { span } from "../src/internal/times.ts"
import { json, memory, weft } from "./support/weft.ts"

const start = 1_760_000_000_000

const commit = (group: string, offsets: ReadonlyArray<number>, topic = "orders") =>
  Effect.provide(
    Effect.flatMap(Admin, (admin) =>
      admin.setOffsets(group, offsets.map((offset, partition) => ({ topic, partition, offset: BigInt(offset) })))),
    adminLayer
  )

/** Two topics; `loom-georegion` has read a part of one. */
const scene = Effect.gen(function*() {
  const cluster = yield* MemoryCluster.MemoryCluster
  yield* cluster.createTopic("orders", { partitions: 2 })
  yield* cluster.createTopic("payments")
  const records = (n: number, partition: number) =>
    Array.from({ length: n }, (_, i) => ({ partition, value: "v", timestamp: start - 100_000 + i * 10_000 }))
  yield* cluster.append("orders", [...records(10, 0), ...records(5, 1)])
  yield* commit("loom-georegion", [4, 5])
  return cluster
})

const at = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  Effect.andThen(TestClock.setTime(start), Effect.provide(test, memory()))

describe("weft lag", () => {
  it.effect("a group: by topic, by partition, in records and in time", () =>
    at(Effect.gen(function*() {
      yield* scene
      const told = { lag: 6, secondsToDrain: null, status: null }
      const answer = (yield* json("lag loom-georegion")) as Record<string, ReadonlyArray<Record<string, number>>>
      const { lagSeconds } = answer as unknown as { readonly lagSeconds: number }
      // The record at offset 4 is 60 s old; by admin requests alone that is known within a twentieth.
      assert.closeTo(lagSeconds, 60, 3)
      assert.deepStrictEqual(answer as unknown, {
        group: "loom-georegion",
        service: "loom-georegion",
        state: "Empty",
        members: 0,
        partitionCount: 2,
        leaderlessCount: 0,
        ...told,
        lagSeconds,
        partitions: [
          {
            topic: "orders",
            partition: 0,
            committed: 4,
            end: 10,
            ...told,
            lagSeconds,
            consumedPerSecond: null,
            producedPerSecond: null
          },
          {
            topic: "orders",
            partition: 1,
            committed: 5,
            end: 5,
            lag: 0,
            lagSeconds: 0,
            secondsToDrain: 0,
            status: "ok",
            consumedPerSecond: null,
            producedPerSecond: null
          }
        ],
        topics: [{ topic: "orders", partitions: 2, maxPartitionLag: 6, ...told, lagSeconds }],
        leaderless: [],
        uncommitted: []
      })
      const { out } = yield* weft("lag loom-georegion --partitions")
      assert.match(out, /orders +0 +4 +10 +6 +\S.* +\?/)
      assert.match(out, /orders +1 +5 +5 +0 +0s +ok/)
      assert.match(out, /loom-georegion, empty with 0 members, is 6 records and (1m.*|5\ds) behind$/)
    })))

  it.effect("without a name: all groups, the furthest behind first", () =>
    at(Effect.gen(function*() {
      yield* scene
      yield* commit("at-the-end", [10, 5])
      const { out } = yield* weft("lag")
      assert.deepStrictEqual(out.split("\n").map((line) => line.split(" ")[0]), [
        "GROUP",
        "loom-georegion",
        "at-the-end"
      ])
      const { groups } = (yield* json("lag")) as { readonly groups: ReadonlyArray<{ readonly lag: number }> }
      assert.deepStrictEqual(groups.map(({ lag }) => lag), [0, 6])
    })))

  it.effect("without a name, of one topic", () =>
    at(Effect.gen(function*() {
      yield* scene
      yield* commit("payer", [0], "payments")
      const { groups } = (yield* json("lag --topic payments")) as {
        readonly groups: ReadonlyArray<{ readonly group: string; readonly partitionCount: number }>
      }
      assert.deepStrictEqual(groups.map(({ group, partitionCount }) => [group, partitionCount]), [["payer", 1]])
      assert.strictEqual((yield* weft("lag --topic payment")).code, 3)
    })))

  it.effect("a service, by the group that its members are in", () =>
    at(Effect.gen(function*() {
      yield* scene
      yield* commit("billing-consumer-group", [0, 5])
      const { out } = yield* weft("lag billing")
      assert.include(out, "billing-consumer-group, empty with 0 members, is 10 records")
    })))

  it.effect("what nothing is committed for is told apart, as where it would be read from is not known", () =>
    at(Effect.gen(function*() {
      yield* scene
      yield* commit("half", [10])
      const half = yield* weft("lag half")
      assert.include(half.out, "nothing is committed for 1 more partition with 5 records")
      assert.include(half.out, "half, empty with 0 members, has nothing to catch up on")
      const other = yield* weft("lag half --topic payments")
      assert.include(other.out, "half has committed no offsets")
      assert.include(other.out, "nothing is committed for 1 more partition with 0 records")
    })))

  it.effect("an unknown group, service or topic is not found, and near names are told", () =>
    at(Effect.gen(function*() {
      yield* scene
      assert.deepStrictEqual(yield* weft("lag loom-georegio"), {
        code: 3,
        out: "",
        err: "error: no consumer group is called \"loom-georegio\"\n  did you mean loom-georegion?\n" +
          "  next: weft groups list shows all groups, weft config list all services"
      })
      const topic = yield* weft("lag loom-georegion --topic order")
      assert.deepStrictEqual([topic.code, topic.out], [3, ""])
      assert.include(topic.err, "did you mean orders?")
      assert.strictEqual((yield* weft("lag nobody --watch")).code, 3)
      const failure = JSON.parse((yield* weft("lag nobody --json")).err) as { readonly exitCode: number }
      assert.strictEqual(failure.exitCode, 3)
      assert.strictEqual((yield* weft("lag --watch --interval soon")).code, 2)
    })))

  it.effect("answers for 10,000 partitions", () =>
    at(Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.createTopic("wide", { partitions: 10_000 })
      yield* cluster.append("wide", [{ partition: 9_999, value: "v", timestamp: start }])
      yield* commit("wide-group", Array.from({ length: 10_000 }, () => 0), "wide")
      const { code, out } = yield* weft("lag wide-group")
      assert.strictEqual(code, 0)
      assert.include(out, "is 1 record and")
      assert.strictEqual((yield* weft("lag wide-group --partitions")).out.split("\n").length, 10_003)
    })))
})

/** A command that goes on, and what it has said so far. */
const going = Effect.fnUntraced(function*(line: string, canAnimate = false) {
  const said = { out: [] as Array<string>, err: [] as Array<string> }
  const running = yield* weft(line, said).pipe(
    Effect.provideService(TerminalCapabilities.TerminalCapabilities, {
      canAnimate,
      canColor: canAnimate,
      canPrompt: false
    }),
    Effect.forkChild
  )
  yield* TestClock.adjust("1 millis")
  return { ...said, stop: Fiber.interrupt(running) }
})

describe("weft lag --watch", () => {
  it.effect("one block after the other where there is no terminal, with a speed from the second and a status from the third on", () =>
    at(Effect.gen(function*() {
      yield* scene
      const { out, stop } = yield* going("lag loom-georegion --watch --interval 10s")
      assert.lengthOf(out, 1)
      assert.match(out[0]!, /^2025-10-09 08:53:20Z, every 10s\n\nTOPIC/)
      yield* commit("loom-georegion", [5, 5])
      yield* TestClock.adjust("10 seconds")
      assert.include(out[1]!, "drained in 50s")
      yield* commit("loom-georegion", [6, 5])
      yield* TestClock.adjust("10 seconds")
      assert.lengthOf(out, 3)
      assert.match(out[2]!, /^\n2025-.*\n\nTOPIC.*\norders +2 +4 +4 +\S.* 40s +ok\n/)
      assert.notInclude(out.join(""), "\u001b")
      yield* stop
    })))

  it.effect("in place on a terminal, whose cursor comes back", () =>
    at(Effect.gen(function*() {
      yield* scene
      const { out, stop } = yield* going("lag loom-georegion --watch", true)
      yield* TestClock.adjust("2 seconds")
      assert.lengthOf(out, 2)
      assert.isTrue(out[0]!.startsWith("\u001b[?25l\u001b[2J\u001b[H"))
      assert.isTrue(out[1]!.startsWith("\u001b[H") && out[1]!.endsWith("\u001b[J"))
      assert.include(out[0]!, "Ctrl-C ends")
      yield* stop
      assert.strictEqual(out.at(-1), "\u001b[?25h")
    })))

  it.effect("with --json a line for each look; a Kafka that is away is told, and looked for again", () =>
    at(Effect.gen(function*() {
      const cluster = yield* scene
      const { err, out, stop } = yield* going("lag loom-georegion --watch --json --interval 30s")
      assert.lengthOf(out, 1)
      yield* cluster.brokerAway(0, "2 minutes")
      for (let i = 0; i < 12; i++) yield* TestClock.adjust("10 seconds")
      assert.lengthOf(out, 1)
      const [failure] = err.map((line) => JSON.parse(line) as { readonly error: { readonly kind: string } })
      assert.strictEqual(failure?.error.kind, "Unavailable")
      for (let i = 0; i < 12; i++) yield* TestClock.adjust("10 seconds")
      assert.isAbove(out.length, 1)
      assert.deepInclude(JSON.parse(out.at(-1)!) as object, { group: "loom-georegion", lag: 6 })
      yield* stop
    })))
})

describe("weft monitor", () => {
  it.effect("--once: a table, or a line for each group", () =>
    at(Effect.gen(function*() {
      yield* scene
      yield* commit("else", [0, 0])
      const { code, out } = yield* weft("monitor --once --group loom-*")
      assert.strictEqual(code, 0)
      assert.match(out, /^GROUP .*\nloom-georegion +Empty +0 +2 +6 /)
      assert.lengthOf(out.split("\n"), 2)
      const lines = (yield* weft("monitor --once --json --partitions")).out.split("\n")
      const groups = lines.map((line) => JSON.parse(line) as { readonly group: string; readonly partitions: unknown })
      assert.deepStrictEqual(groups.map(({ group }) => group), ["else", "loom-georegion"])
      assert.deepInclude(groups[1]!, { at: start, lag: 6 } as object)
      assert.lengthOf(groups[1]!.partitions as ReadonlyArray<unknown>, 2)
    })))

  it.effect("says what changes, and goes on when Kafka was away", () =>
    at(Effect.gen(function*() {
      const cluster = yield* scene
      const { err, out, stop } = yield* going("monitor --group loom-?eoregion --interval 10s")
      assert.match(out[0]!, /looks at loom-\?eoregion every 10s; DATABASE_URL is not set: nothing is written$/)
      assert.match(out[1]!, /loom-georegion: 6 records and .* behind$/)
      for (let i = 0; i < 4; i++) yield* TestClock.adjust("10 seconds")
      assert.match(out[2]!, /loom-georegion: stop, 6 records and .* behind, and does not catch up$/)
      assert.lengthOf(out, 3)
      yield* cluster.brokerAway(0, "2 minutes")
      for (let i = 0; i < 12; i++) yield* TestClock.adjust("10 seconds")
      assert.lengthOf(err, 1)
      assert.match(err[0]!, /^error: Kafka is away, it goes on: /)
      for (let i = 0; i < 12; i++) yield* TestClock.adjust("10 seconds")
      assert.match(out[3]!, /Kafka is back$/)
      yield* commit("loom-georegion", [10, 5])
      yield* TestClock.adjust("10 seconds")
      assert.match(out.at(-1)!, /stop -> ok, 0 records and 0s behind/)
      yield* stop
    })))
})

describe("in words", () => {
  it("spans of time", () => {
    assert.deepStrictEqual(
      [0, 0.0001, 0.35, 1, 59.6, 61, 3_600, 3_725, 100_000, 172_800].map(span),
      ["0s", "1ms", "350ms", "1s", "1m", "1m 1s", "1h", "1h 2m", "1d 3h", "2d"]
    )
  })
  it("patterns of names", () => {
    const names = ["loom-a", "loom-ab", "x.loom-a", "loom.a"]
    const found = (...patterns: ReadonlyArray<string>) => names.filter(matches(patterns))
    assert.deepStrictEqual(found("loom-*"), ["loom-a", "loom-ab"])
    assert.deepStrictEqual(found("loom-?", "x.*"), ["loom-a", "x.loom-a"])
    assert.deepStrictEqual(found("loom.a"), ["loom.a"])
    assert.deepStrictEqual(found("*"), names)
  })
})
