import { assert, describe, it } from "@effect/vitest"
import * as Admin from "@weft/kafka/Admin"
import * as Consumer from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import { AdminError } from "@weft/kafka/KafkaError"
import * as Subscription from "@weft/kafka/Subscription"
import type { Transport } from "@weft/kafka/Transport"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"
import * as GroupMonitor from "../src/GroupMonitor.ts"
import * as MetricsSink from "../src/MetricsSink.ts"

const start = 1_760_000_000_000

const withCluster = <A, E>(
  test: (cluster: MemoryCluster.MemoryCluster["Service"]) => Effect.Effect<
    A,
    E,
    MemoryCluster.MemoryCluster | Admin.Admin | Transport
  >
) =>
  // The cluster's own timers begin at the time at which it is made.
  Effect.andThen(
    TestClock.setTime(start),
    Effect.flatMap(MemoryCluster.MemoryCluster, test).pipe(
      Effect.provide(Layer.provideMerge(Admin.layer, MemoryCluster.layerWith()))
    )
  )

const ago = (seconds: number, count = 1, partition = 0) =>
  Effect.map(
    Clock.currentTimeMillis,
    (now) => Array.from({ length: count }, () => ({ partition, value: "v", timestamp: now - seconds * 1_000 }))
  )

const commit = (group: string, topic: string, ...offsets: ReadonlyArray<number>) =>
  Effect.flatMap(
    Admin.Admin,
    (admin) =>
      admin.setOffsets(group, offsets.map((offset, partition) => ({ topic, partition, offset: BigInt(offset) })))
  )

/** Time passes, and whoever waits for it goes on. */
const pass = (seconds: number) =>
  Effect.forEach(Array.from({ length: seconds * 10 }), () => TestClock.adjust("100 millis"), { discard: true })

/** `n` looks, so far apart; between them happens what is said. */
const looks = Effect.fnUntraced(function*<E = never, R = never>(
  monitor: GroupMonitor.GroupMonitor,
  n: number,
  between: (i: number) => Effect.Effect<unknown, E, R> = () => Effect.void,
  seconds = 10
) {
  let look = yield* monitor.look
  for (let i = 1; i < n; i++) {
    yield* TestClock.adjust(`${seconds} seconds`)
    yield* between(i)
    look = yield* monitor.look
  }
  return look
})

const only = ({ groups }: GroupMonitor.Look): GroupMonitor.GroupLag => {
  assert.lengthOf(groups, 1)
  return groups[0]!
}

const close = (actual: number, expected: number) => assert.closeTo(actual, expected, expected * 0.05 + 0.5)

describe("GroupMonitor", () => {
  it.effect("a group that stopped: records, seconds that go on growing, and a drain that never ends", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in", { partitions: 2 })
        yield* cluster.append("in", [...yield* ago(7_200, 10), ...yield* ago(300, 5), ...yield* ago(60, 4, 1)])
        yield* commit("billing", "in", 10, 4)
        const monitor = GroupMonitor.make()
        const first = only(yield* monitor.look)
        assert.deepInclude(first, {
          group: "billing",
          service: "billing",
          state: "Empty",
          members: 0,
          looks: 1,
          lag: 5n
        })
        assert.strictEqual(first.status, "ok")
        close(first.lagSeconds, 300)
        assert.deepStrictEqual(
          first.partitions.map(({ sample: { consumerOffset, endOffset, lag, member, partition } }) => [
            partition,
            consumerOffset,
            endOffset,
            lag,
            member
          ]),
          [[0, 10n, 15n, 5n, ""], [1, 4n, 4n, 0n, ""]]
        )
        assert.strictEqual(first.partitions[1]!.sample.lagSeconds, 0)
        const last = only(yield* looks(monitor, 30))
        assert.deepInclude(last, { status: "stop", looks: 31 })
        assert.strictEqual(last.partitions[1]!.status, "ok")
        close(last.lagSeconds, 590)
        assert.isUndefined(last.secondsToDrain)
      })
    ))

  it.effect("seconds come from the looks: within one interval of the truth, whatever timestamps say", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in")
        yield* commit("billing", "in", 0)
        const monitor = GroupMonitor.make()
        yield* monitor.look
        const written: Array<number> = []
        const timestamps = [0, -1, start + 86_400_000, 1_760_000_000]
        const last = only(
          yield* looks(monitor, 60, (i) =>
            Effect.gen(function*() {
              yield* cluster.append("in", [{ value: "v", timestamp: timestamps[i % 4]! }])
              written.push(yield* Clock.currentTimeMillis)
              if (i > 20) yield* commit("billing", "in", i - 20)
            }))
        )
        const truth = ((yield* Clock.currentTimeMillis) - written[39]!) / 1_000
        assert.strictEqual(last.lag, 20n)
        assert.isAtLeast(last.lagSeconds, truth)
        assert.isAtMost(last.lagSeconds, truth + 10)
      })
    ))

  it.effect("timestamps that cannot be true make no absurd age at the first look", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        const monitor = GroupMonitor.make()
        for (const [i, timestamp] of [0, -1, start + 86_400_000, 1_760_000_000].entries()) {
          yield* cluster.createTopic(`in${i}`)
          yield* cluster.append(`in${i}`, [{ value: "v", timestamp }])
          yield* commit("billing", `in${i}`, 0)
        }
        const seconds = (group: GroupMonitor.GroupLag) => group.partitions.map(({ sample }) => sample.lagSeconds)
        for (const age of seconds(only(yield* monitor.look))) assert.isTrue(age >= 0 && age <= 0.5)
        for (const age of seconds(only(yield* looks(monitor, 7)))) assert.isTrue(age >= 60 && age <= 60.5, String(age))
      })
    ))

  it.effect("statuses: slow, catching up with a time to drain, rewind", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in")
        yield* cluster.append("in", yield* ago(60, 1_000))
        yield* commit("billing", "in", 0)
        const monitor = GroupMonitor.make()
        const write = (records: number) => Effect.flatMap(ago(0, records), (all) => cluster.append("in", all))
        const slow = only(
          yield* looks(monitor, 10, (i) => Effect.andThen(write(50), commit("billing", "in", 10 * i)))
        )
        assert.strictEqual(slow.status, "slow")
        assert.isUndefined(slow.secondsToDrain)
        const fast = only(
          yield* looks(monitor, 10, (i) => Effect.andThen(write(50), commit("billing", "in", 90 + 100 * i)))
        )
        assert.strictEqual(fast.status, "ok")
        // 10 per second come off, 5 come in: 910 of 1900 are left.
        assert.strictEqual(fast.lag, 910n)
        assert.closeTo(fast.secondsToDrain!, 182, 10)
        yield* commit("billing", "in", 5)
        assert.strictEqual(only(yield* looks(monitor, 2)).status, "rewind")
      })
    ))

  it.effect("a member that commits rarely is not stalled; one that does not for the whole window is", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in")
        yield* cluster.append("in", yield* ago(60, 10))
        yield* commit("billing", "in", 4)
        yield* Effect.scoped(Effect.gen(function*() {
          yield* Consumer.make({
            subscription: Subscription.topics("in"),
            settings: ConsumerSettings.make({ groupId: "billing", clientId: "m1" })
          })
          yield* pass(1)
          const monitor = GroupMonitor.make()
          const early = only(yield* looks(monitor, 9, () => Effect.void, 1))
          assert.deepInclude(early, { state: "Stable", members: 1, status: "ok" })
          assert.strictEqual(only(yield* looks(monitor, 2, () => Effect.void, 1)).status, "stall")
        }))
      })
    ))

  it.effect("which groups and topics are watched, and for which service; new ones are found", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in")
        yield* cluster.createTopic("other")
        for (const group of ["loom-a", "loom-b", "else"]) {
          yield* commit(group, "in", 0)
          yield* commit(group, "other", 0)
        }
        const monitor = GroupMonitor.make({
          groups: (group) => group.startsWith("loom-"),
          topics: (topic) => topic === "in",
          serviceOf: (group) => group.slice(5)
        })
        const seen = (look: GroupMonitor.Look) =>
          look.groups.map((
            { group, partitions, service }
          ) => [group, service, partitions[0]!.sample.service, partitions.length])
        assert.deepStrictEqual(seen(yield* monitor.look), [["loom-a", "a", "a", 1], ["loom-b", "b", "b", 1]])
        yield* commit("loom-c", "in", 0)
        const admin = yield* Admin.Admin
        yield* admin.deleteGroups(["loom-a"])
        assert.deepStrictEqual(seen(yield* monitor.look), [["loom-b", "b", "b", 1], ["loom-c", "c", "c", 1]])
      })
    ))

  it.effect("no groups, no committed offsets, records that were deleted, a topic that is gone", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        const monitor = GroupMonitor.make()
        assert.deepStrictEqual((yield* monitor.look).groups, [])
        yield* cluster.createTopic("in", { partitions: 3 })
        yield* cluster.createTopic("gone")
        yield* cluster.append("in", yield* ago(5, 10))
        yield* commit("billing", "in", 2)
        yield* commit("billing", "gone", 0)
        yield* cluster.deleteRecords("in", 0, 6n)
        const { lag, partitions } = only(yield* monitor.look)
        // Also those that nobody will read any more; of what was never committed nothing is known.
        assert.deepStrictEqual([lag, partitions.map(({ sample }) => sample.topic)], [8n, ["gone", "in"]])
        close(partitions[1]!.sample.lagSeconds, 5)
        const both = GroupMonitor.make({ uncommitted: { topics: ["in"] } })
        assert.deepStrictEqual(only(yield* both.look).uncommitted, [
          { topic: "in", partition: 1, beginning: 0n, end: 0n },
          { topic: "in", partition: 2, beginning: 0n, end: 0n }
        ])
        yield* cluster.deleteTopic("gone")
        assert.lengthOf(only(yield* monitor.look).partitions, 1)
      })
    ))

  /** An admin client to which some things are not told. */
  const told = (change: (admin: Admin.Admin["Service"]) => Partial<Admin.Admin["Service"]>) =>
    Effect.map(Admin.Admin, (admin) => Admin.Admin.of({ ...admin, ...change(admin) }))

  it.effect("what is not told hides no lag: members, leaders, one group of several, the age", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in", { partitions: 2 })
        yield* cluster.append("in", [...yield* ago(60, 3), ...yield* ago(60, 3, 1)])
        yield* commit("a", "in", 1, 1)
        yield* commit("b", "in", 2, 2)
        const refused = new AdminError({ operation: "asked", code: "REFUSED", retriable: false, cause: "a test" })
        const lookWith = (
          change: (admin: Admin.Admin["Service"]) => Partial<Admin.Admin["Service"]>,
          options: GroupMonitor.Options = { groups: (group) => group === "a" },
          n = 12
        ) =>
          Effect.flatMap(told(change), (admin) =>
            Effect.provideService(looks(GroupMonitor.make(options), n), Admin.Admin, admin))

        // As a coordinator that is asked in the old way answers for groups of the newer protocol; and one that refuses.
        const dead = ({ describeGroups }: Admin.Admin["Service"]) => ({
          describeGroups: (groups: ReadonlyArray<string>) =>
            Effect.map(describeGroups(groups), (all) =>
              all.map((one) => ({ ...one, state: "Dead", members: [] })))
        })
        for (const change of [dead, () => ({ describeGroups: () => Effect.fail(refused) })]) {
          const { lag, members, state, status } = only(yield* lookWith(change))
          assert.deepStrictEqual([lag, status, state, members], [4n, "stall", undefined, undefined])
        }

        const led = only(
          yield* lookWith(({ describeTopics }) => ({
            describeTopics: (topics) =>
              Effect.map(describeTopics(topics), (all) =>
                all.map((topic) => ({
                  ...topic,
                  partitions: topic.partitions.map((one) => one.partition === 1 ? { ...one, leader: -1 } : one)
                })))
          }))
        )
        assert.deepStrictEqual([led.lag, led.leaderless.map(({ key }) => key)], [2n, ["in-1"]])

        const { failed, groups } = yield* lookWith(({ committedOffsets }) => ({
          committedOffsets: (group) => group === "a" ? Effect.fail(refused) : committedOffsets(group)
        }), {})
        assert.deepStrictEqual([failed, groups.map(({ group, lag }) => [group, lag])], [
          [{ group: "a", error: refused }],
          [["b", 2n]]
        ])

        const ageless = only(
          yield* lookWith(({ listOffsets }) => ({
            listOffsets: (partitions, at) => typeof at === "string" ? listOffsets(partitions, at) : Effect.fail(refused)
          }))
        )
        assert.strictEqual(ageless.lag, 4n)
        assert.closeTo(ageless.lagSeconds, 110, 1)
      })
    ))

  it.effect("10,000 partitions, all of them behind", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        for (let t = 0; t < 10; t++) {
          yield* cluster.createTopic(`t${t}`, { partitions: 1_000 })
          yield* cluster.append(
            `t${t}`,
            (yield* ago(600)).flatMap((one) => Array.from({ length: 1_000 }, (_, partition) => ({ ...one, partition })))
          )
          yield* commit("wide", `t${t}`, ...Array.from({ length: 1_000 }, () => 0))
        }
        const monitor = GroupMonitor.make()
        const first = only(yield* monitor.look)
        assert.deepStrictEqual([first.lag, first.partitions.length], [10_000n, 10_000])
        close(first.lagSeconds, 600)
        const last = only(yield* looks(monitor, 12))
        assert.strictEqual(last.status, "stop")
        close(last.lagSeconds, 710)
      })
    ))

  it.effect("runs on its own clock; a sink or a Kafka that is away costs a look, and it goes on", () =>
    withCluster((cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("in")
        yield* cluster.append("in", yield* ago(5, 10))
        yield* commit("billing", "in", 2)
        let isAway = false
        const written: Array<MetricsSink.LagSample> = []
        const told: Array<string> = []
        const sink = MetricsSink.MetricsSink.of({
          write: ({ lag }) =>
            Effect.suspend(() => {
              if (isAway) return Effect.fail(new MetricsSink.MetricsSinkError({ cause: "away" }))
              written.push(...lag)
              return Effect.void
            })
        })
        const running = yield* GroupMonitor.run(GroupMonitor.make(), {
          interval: "30 seconds",
          tell: (look) =>
            Effect.sync(() => {
              told.push(Result.isSuccess(look) ? "looked" : look.failure._tag)
            })
        }).pipe(Effect.provideService(MetricsSink.MetricsSink, sink), Effect.forkChild)
        yield* pass(61)
        assert.deepStrictEqual(told, ["looked", "looked", "looked"])
        assert.lengthOf(written, 3)
        assert.deepInclude(written[0]!, { service: "billing", group: "billing", member: "", lag: 8n })
        assert.deepStrictEqual(written.map(({ timestamp }) => timestamp - written[0]!.timestamp), [0, 30_000, 60_000])

        isAway = true
        yield* pass(60)
        assert.lengthOf(written, 3)
        isAway = false
        yield* pass(30)
        assert.lengthOf(written, 6)

        yield* cluster.brokerAway(0, "5 minutes")
        yield* pass(120)
        assert.strictEqual(told.at(-1) === "looked", false)
        yield* pass(300)
        assert.strictEqual(told.at(-1), "looked")
        // What waits when it is stopped is written.
        isAway = true
        yield* pass(30)
        const before = written.length
        isAway = false
        yield* Fiber.interrupt(running)
        assert.isAbove(written.length, before)
        assert.strictEqual(new Set(written.map(({ timestamp }) => timestamp)).size, written.length)
      })
    ))
})
