import { assert, describe, it } from "@effect/vitest"
import { Admin, layer as adminLayer } from "@weft/kafka/Admin"
import * as Consumer from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as Subscription from "@weft/kafka/Subscription"
import { type CommittedOffset, Transport } from "@weft/kafka/Transport"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { Backends } from "@weft/cli/Backends"
import { json, memory, noDatabase, weft } from "./support/weft.ts"

/** Records in two topics, and the group `loom-georegion`, which has read a part of one. */
const scene = Effect.gen(function*() {
  const cluster = yield* MemoryCluster.MemoryCluster
  yield* cluster.createTopic("orders", { partitions: 2 })
  yield* cluster.createTopic("payments")
  const records = (n: number, partition: number) => Array.from({ length: n }, () => ({ partition, value: "v" }))
  yield* cluster.append("orders", [...records(10, 0), ...records(5, 1)])
  yield* Effect.provide(
    Effect.flatMap(Admin, (admin) =>
      admin.setOffsets("loom-georegion", [
        { topic: "orders", partition: 0, offset: 4n },
        { topic: "orders", partition: 1, offset: 5n }
      ])),
    adminLayer
  )
  return cluster
})

/** A member of the group that reads and commits nothing. */
const member = Effect.gen(function*() {
  yield* Consumer.make({
    subscription: Subscription.topics("orders"),
    settings: ConsumerSettings.make({ groupId: "loom-georegion", clientId: "m1" })
  })
  for (let i = 0; i < 10; i++) yield* TestClock.adjust("10 millis")
})

const gone: CommittedOffset = { topic: "gone.dlq", partition: 0, offset: 0n, metadata: "" }

/** A cluster that a topic is deleted from right after the first list of them. */
const losingTopic = Layer.effect(
  Backends,
  Effect.map(MemoryCluster.MemoryCluster, (cluster) => {
    let isThere = true
    const admin = Effect.map(cluster.transport.admin, (admin) => ({
      ...admin,
      // Offsets outlive their topics.
      committedOffsets: (group: string, topics?: ReadonlyArray<string>) =>
        Effect.map(admin.committedOffsets(group, topics), (all) => [...all, gone]),
      listTopics: Effect.map(admin.listTopics, (names) => {
        const all = isThere ? [...names, "gone.dlq"] : names
        isThere = false
        return all
      })
    }))
    return { transport: () => Layer.succeed(Transport, { ...cluster.transport, admin }), database: noDatabase }
  })
)

const committed = Effect.gen(function*() {
  const cluster = yield* MemoryCluster.MemoryCluster
  return (yield* cluster.committed("loom-georegion")).map(({ offset, partition }) => [partition, offset])
})

describe("weft topics", () => {
  it.effect("list: partitions and replicas of each, Kafka's own only when asked", () =>
    Effect.gen(function*() {
      yield* scene
      assert.deepStrictEqual(yield* json("topics list"), [
        { topic: "orders", partitions: 2, replicas: 1, underReplicated: 0 },
        { topic: "payments", partitions: 1, replicas: 1, underReplicated: 0 }
      ])
      const { out } = yield* weft("topics list")
      assert.strictEqual(out.split("\n")[1], "orders             2         1                 0")
    }).pipe(Effect.provide(memory())))

  it.effect("describe: offsets of each partition", () =>
    Effect.gen(function*() {
      yield* scene
      const { out } = yield* weft("topics describe orders")
      assert.match(out, /0 +0 +10 +10 +\d+/)
      assert.match(out, /1 +0 +5 +5 +\d+/)
    }).pipe(Effect.provide(memory())))

  it.effect("describe of one that does not exist names the near one, and ends with 3", () =>
    Effect.gen(function*() {
      yield* scene
      assert.deepStrictEqual(yield* weft("topics describe order"), {
        code: 3,
        out: "",
        err: "error: no topic is called \"order\"\n  did you mean orders?\n  next: weft topics list shows all topics"
      })
    }).pipe(Effect.provide(memory())))
})

describe("a topic that is deleted while all are looked at", () => {
  it.live.each(["topics list --json", "dlq list --json", "lag --json", "doctor --json"])(
    "is no failure of weft %s",
    (line) =>
      Effect.gen(function*() {
        yield* scene
        const { code, err, out } = yield* Effect.provide(weft(line), losingTopic)
        // The doctor has no database.
        assert.strictEqual(code, line.startsWith("doctor") ? 6 : 0, err)
        assert.notInclude(out, "gone.dlq")
        if (line.startsWith("doctor")) assert.include(out, "2 topics, 3 partitions")
      }).pipe(Effect.provide(MemoryCluster.layer))
  )
})

describe("weft groups", () => {
  it.effect("list and describe: state, members, and what each reads", () =>
    Effect.gen(function*() {
      yield* scene
      yield* member
      assert.deepStrictEqual(yield* json("groups list"), [
        { group: "loom-georegion", state: "Stable", members: 1, strategy: "range", topics: ["orders"] }
      ])
      const { out } = yield* weft("groups describe loom-georegion")
      assert.match(out, /m1 .*orders: 0-1/)
    }).pipe(Effect.scoped, Effect.provide(memory())))

  it.effect("reset shows the plan and changes nothing; with --execute it does what the plan says", () =>
    Effect.gen(function*() {
      yield* scene
      const plan = yield* weft("groups reset loom-georegion --to earliest")
      assert.match(plan.out, /would move loom-georegion/)
      assert.match(plan.out, /orders +0 +4 +0 +4 records again/)
      assert.include(plan.out, "--execute")
      assert.deepStrictEqual(yield* committed, [[0, 4n], [1, 5n]])
      const done = yield* json("groups reset loom-georegion --to earliest --execute")
      assert.deepStrictEqual(done, {
        group: "loom-georegion",
        executed: true,
        changes: [
          { topic: "orders", partition: 0, from: 4, to: 0 },
          { topic: "orders", partition: 1, from: 5, to: 0 }
        ]
      })
      assert.deepStrictEqual(yield* committed, [[0, 0n], [1, 0n]])
      yield* weft("groups reset loom-georegion --to 3 --topic orders --execute")
      assert.deepStrictEqual(yield* committed, [[0, 3n], [1, 3n]])
      assert.include((yield* weft("groups reset loom-georegion --to 3")).out, "nothing to change")
    }).pipe(Effect.provide(memory())))

  it.effect("reset of a group with members is refused, and nothing is changed", () =>
    Effect.gen(function*() {
      yield* scene
      yield* member
      const refused = yield* weft("groups reset loom-georegion --to earliest --execute")
      assert.strictEqual(refused.code, 5)
      assert.include(refused.err, "stop all members of the group")
      assert.deepStrictEqual(yield* committed, [[0, 4n], [1, 5n]])
    }).pipe(Effect.scoped, Effect.provide(memory())))

  it.effect("reset of a group that does not exist names the near one; --create gives a new one its first offsets", () =>
    Effect.gen(function*() {
      yield* scene
      const slip = "groups reset loom-georegoin --to earliest --topic orders --execute"
      assert.deepStrictEqual(yield* weft(slip), {
        code: 3,
        out: "",
        err: "error: no consumer group is called \"loom-georegoin\"\n  did you mean loom-georegion?\n"
          + "  next: weft groups list shows all groups; --create gives a new one its first offsets"
      })
      const cluster = yield* MemoryCluster.MemoryCluster
      assert.deepStrictEqual(yield* cluster.committed("loom-georegoin"), [])
      assert.strictEqual((yield* weft("groups reset loom-new --to latest --create")).code, 2)
      assert.strictEqual((yield* weft("groups reset loom-new --to latest --create --topic orders --execute")).code, 0)
      const offsets = (yield* cluster.committed("loom-new")).map(({ offset, partition }) => [partition, offset])
      assert.deepStrictEqual(offsets, [[0, 10n], [1, 5n]])
    }).pipe(Effect.provide(memory())))

  it.effect("reset to nothing that can be understood is a wrong use", () =>
    Effect.gen(function*() {
      yield* scene
      assert.strictEqual((yield* weft("groups reset loom-georegion --to yesterday")).code, 2)
      assert.strictEqual((yield* weft("groups reset loom-georegion")).code, 2)
    }).pipe(Effect.provide(memory())))
})
