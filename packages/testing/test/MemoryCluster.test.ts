import { assert, describe, it } from "@effect/vitest"
import * as Settings from "@weft/kafka/ConsumerSettings"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import { Transport } from "@weft/kafka/Transport"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as FaultPlan from "../src/FaultPlan.ts"
import * as Fixtures from "../src/Fixtures.ts"
import * as MemoryCluster from "../src/MemoryCluster.ts"
import * as Probe from "../src/Probe.ts"

const topic = "t"
const groupId = "g"

type MemberOptions = Partial<Probe.ProbeOptions> & { readonly with?: Partial<Settings.ConsumerSettings> }

const member = ({ with: over, ...options }: MemberOptions = {}) =>
  Probe.open({
    subscription: { _tag: "Topics", topics: [topic] },
    settings: Settings.make({ groupId, heartbeatIntervalMs: 1_000, sessionTimeoutMs: 10_000, ...over }),
    ...options
  })

/** A cluster with the topic and one member that has joined. */
const withMember = Effect.fnUntraced(function*(
  partitions = 1,
  options?: MemberOptions,
  settle: Duration.Input = "100 millis"
) {
  const cluster = yield* MemoryCluster.MemoryCluster
  yield* cluster.createTopic(topic, { partitions })
  const probe = yield* member({ with: { clientId: "a" }, ...options })
  yield* TestClock.adjust(settle)
  assert.strictEqual(probe.assignments.length, 1)
  return { cluster, probe }
})

const offsets = (probe: Probe.Probe, partition = 0): ReadonlyArray<number> =>
  probe.records.filter((r) => r.partition === partition).map((r) => Number(r.offset))

const upTo = (n: number, from = 0): ReadonlyArray<number> => Array.from({ length: n }, (_, i) => from + i)

const codeOf = (probe: Probe.Probe): string | undefined => {
  const exit = probe.ended()
  const error = exit === undefined ? undefined : Exit.findErrorOption(exit)
  return error?._tag === "Some" ? ("code" in error.value ? error.value.code : error.value._tag) : undefined
}

const at0 = (offset: bigint, metadata = "") => [{ topic, partition: 0, offset, metadata }]

const it_ = (
  name: string,
  options: MemoryCluster.Options,
  body:
    & Parameters<typeof Effect.provide>[0]
    & Effect.Effect<
      void,
      unknown,
      MemoryCluster.MemoryCluster | Transport | Scope.Scope
    >
) => it.effect(name, () => body.pipe(Effect.provide(MemoryCluster.layerWith(options))))

const plain = (
  name: string,
  body: () => Effect.Effect<
    void,
    unknown,
    MemoryCluster.MemoryCluster | Transport | Scope.Scope
  >
) => it_(name, {}, Effect.suspend(body))

describe("time", () => {
  plain("an hour of rebalances is over in a moment", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(12, { with: { heartbeatIntervalMs: 3_000 } })
      let joins = 0
      // Of the processor, as others may be using it, too.
      const before = process.cpuUsage()
      for (let minute = 0; minute < 60; minute++) {
        const scope = yield* Scope.make()
        const other = yield* Scope.provide(
          member({ with: { clientId: `m${minute}`, heartbeatIntervalMs: 3_000 } }),
          scope
        )
        yield* TestClock.adjust("30 seconds")
        assert.deepStrictEqual([probe.held().size, other.held().size], [6, 6])
        yield* Scope.close(scope, Exit.void)
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(probe.held().size, 12)
        joins += 2
      }
      const { system, user } = process.cpuUsage(before)
      assert.isBelow((system + user) / 1_000, 1_000, "milliseconds for an hour")
      assert.strictEqual(probe.assignments.length, 1 + joins)
      assert.isAtLeast((yield* cluster.group(groupId)).generation, joins)
    }))

  plain("the same seed makes the same history, fault for fault", () =>
    Effect.gen(function*() {
      const history = (seed: string) =>
        Effect.gen(function*() {
          const { cluster, probe } = yield* withMember(4, {}, "1 second")
          const second = yield* member({ with: { clientId: "b" } })
          const plan = yield* FaultPlan.random({
            within: "1 minute",
            count: 20,
            choices: [
              FaultPlan.fail("heartbeat", "NOT_COORDINATOR"),
              FaultPlan.delay("fetch", "3 seconds"),
              FaultPlan.lose("fetch", { times: 5, probability: 0.5 }),
              FaultPlan.freeze({ clientId: "b" }, "15 seconds"),
              FaultPlan.coordinatorMove(groupId, "1 second"),
              FaultPlan.expireSession({ clientId: "a" })
            ]
          })
          yield* cluster.apply(plan)
          for (let i = 0; i < 120; i++) {
            yield* cluster.append(topic, Fixtures.numbered(8, { partitions: 4, from: i * 8 }))
            yield* TestClock.adjust("1 second")
          }
          return [probe, second].map((p) => ({
            records: p.records.map((r) => r.toString()),
            generations: p.assignments.map((a) => a.generation),
            lost: p.lost.length
          }))
        }).pipe(
          Effect.scoped,
          Effect.provide(MemoryCluster.layerWith({ latencyMs: [1, 40] })),
          Random.withSeed(seed)
        )
      const [one, again, other] = [yield* history("a"), yield* history("a"), yield* history("b")]
      assert.deepStrictEqual(again, one)
      assert.notDeepEqual(other, one)
      assert.isAbove(one[0]!.generations.length, 1)
    }))
})

describe("membership", () => {
  plain(
    "a member that drains past its session is out; it hears so at once, and joins again",
    () =>
      Effect.gen(function*() {
        const { probe } = yield* withMember(2, {
          with: { clientId: "a", maxPollIntervalMs: 60_000 },
          beforeRevoke: (_, consumer) =>
            Effect.gen(function*() {
              yield* Effect.sleep("15 seconds")
              yield* Effect.ignore(consumer.heartbeat)
              yield* Effect.sleep("15 seconds")
            })
        })
        const other = yield* member({ with: { clientId: "b" } })
        yield* TestClock.adjust("12 seconds")
        assert.strictEqual(other.held().size, 2)
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(probe.lost.map((l) => l.length), [2])
        yield* TestClock.adjust("20 seconds")
        assert.deepStrictEqual([probe.held().size, other.held().size], [1, 1])
      })
  )

  plain("an expired session is told as lost, and the member joins again", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(2)
      const [before] = yield* cluster.members
      yield* cluster.expireSession({ clientId: "a" })
      yield* TestClock.adjust("2 seconds")
      const [after] = yield* cluster.members
      assert.deepStrictEqual(probe.lost.map((l) => l.length), [2])
      assert.strictEqual(probe.revoked.length, 0)
      assert.strictEqual(probe.held().size, 2)
      assert.notStrictEqual(before!.memberId, after!.memberId)
    }))

  plain("a frozen member loses its partitions, and hears of it when it thaws", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(2)
      const other = yield* member({ with: { clientId: "b" } })
      yield* TestClock.adjust("5 seconds")
      yield* cluster.apply(FaultPlan.freeze({ clientId: "a" }, "60 seconds"))
      yield* TestClock.adjust("15 seconds")
      assert.strictEqual(other.held().size, 2)
      yield* cluster.append(topic, Fixtures.numbered(4, { partitions: 2 }))
      yield* TestClock.adjust("40 seconds")
      assert.deepStrictEqual([other.records.length, probe.records.length, probe.lost.length], [4, 0, 0])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual([probe.lost.length, probe.held().size, other.held().size], [1, 1, 1])
    }))

  plain(
    "a crashed client ends run with a retriable error, and leaves by its session alone",
    () =>
      Effect.gen(function*() {
        const { cluster, probe } = yield* withMember(2)
        yield* cluster.crash({ clientId: "a" })
        yield* TestClock.adjust("1 second")
        assert.strictEqual(codeOf(probe), "TransportError")
        assert.strictEqual((yield* cluster.group(groupId)).members.length, 1)
        const refused = yield* Effect.flip(probe.consumer.commit(at0(1n)))
        assert.strictEqual(refused._tag, "CommitError")
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* cluster.group(groupId)).state, "Empty")
      })
  )

  plain("a coordinator that moves keeps the group; commits wait for it", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(2)
      yield* cluster.moveCoordinator(groupId, { load: "300 millis" })
      yield* Fixtures.driving(probe.consumer.commit(at0(3n)))
      assert.isAtLeast(yield* Clock.currentTimeMillis, 400)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([probe.assignments.length, probe.lost.length], [1, 0])
    }))

  plain("a coordinator that moves during a rebalance: all join at the new one", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(2, {
        with: { clientId: "a" },
        beforeRevoke: () => Effect.sleep("3 seconds")
      })
      const other = yield* member({ with: { clientId: "b" } })
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* cluster.group(groupId)).state, "PreparingRebalance")
      yield* cluster.moveCoordinator(groupId)
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual([probe.held().size, other.held().size], [1, 1])
    }))

  plain("new partitions are found by the leader when its metadata is old", () =>
    Effect.gen(function*() {
      const { probe } = yield* withMember(2, { with: { clientId: "a", metadataMaxAgeMs: 60_000 } })
      const transport = yield* Transport
      const admin = yield* transport.admin
      yield* admin.createPartitions(topic, 5)
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual(probe.held().size, 2)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(probe.held().size, 5)
    }))

  plain("cooperative-sticky is not there, and the transport says what it does instead", () =>
    Effect.gen(function*() {
      const { probe } = yield* withMember(1, { with: { partitionAssignmentStrategy: "cooperative-sticky" } })
      assert.deepStrictEqual(probe.consumer.warnings.map((w) => w.setting), ["partitionAssignmentStrategy"])
    }))

  it_(
    "an empty group waits for more members where the broker is told to",
    { initialRebalanceDelayMs: 3_000 },
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.createTopic(topic, { partitions: 2 })
      const [a, b] = [yield* member(), yield* member()]
      yield* TestClock.adjust("2900 millis")
      assert.deepStrictEqual([a.assignments.length, b.assignments.length], [0, 0])
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual([a.held().size, b.held().size], [1, 1])
    })
  )
})

describe("fetching", () => {
  plain("a fetch waits for its bytes, and no longer than it was told", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(1, {
        with: { fetchMinBytes: 1_000, fetchMaxWaitMs: 5_000 },
        startAt: "nowhere"
      })
      probe.consumer.start([{ topic, partition: 0, offset: 0n }])
      yield* TestClock.adjust(1)
      yield* cluster.append(topic, [{ value: "x".repeat(100) }])
      yield* TestClock.adjust("4900 millis")
      assert.strictEqual(probe.records.length, 0)
      yield* TestClock.adjust("200 millis")
      assert.strictEqual(probe.records.length, 1)
      yield* cluster.append(topic, [{ value: "x".repeat(2_000) }])
      yield* TestClock.adjust("10 millis")
      assert.strictEqual(probe.records.length, 2)
    }))

  plain("partitions get their turn, so that none is behind by more than a fetch", () =>
    Effect.gen(function*() {
      let most = 0
      const { cluster, probe } = yield* withMember(4, {
        with: { fetchMaxBytes: 1_000, maxPartitionFetchBytes: 1_000 },
        onBatch: () => {
          const counts = upTo(4).map((n) => probe?.records.filter((r) => r.partition === n).length ?? 0)
          most = Math.max(most, Math.max(...counts) - Math.min(...counts))
        }
      })
      yield* cluster.append(topic, Fixtures.numbered(4_000, { partitions: 4 }))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(probe.records.length, 4_000)
      assert.isBelow(most, 120)
      assert.isAbove(most, 0)
    }))

  plain("a late answer is dropped where a seek came in between", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(1)
      yield* cluster.apply(FaultPlan.delay("fetch", "5 seconds"))
      yield* TestClock.adjust("1 second")
      yield* cluster.append(topic, Fixtures.numbered(10))
      yield* TestClock.adjust("1 second")
      probe.consumer.start([{ topic, partition: 0, offset: 7n }])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(offsets(probe), [7, 8, 9])
    }))

  plain("fetches that fail or get lost are asked again, and nothing is missing", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(1)
      yield* cluster.apply(FaultPlan.all(
        FaultPlan.fail("fetch", "NOT_LEADER_OR_FOLLOWER", { times: 3 }),
        FaultPlan.lose("fetch", { times: 3 }),
        FaultPlan.loseAnswer("fetch", { times: 3 }),
        FaultPlan.repeat("fetch", { times: 3 })
      ))
      for (let i = 0; i < 30; i++) {
        yield* cluster.append(topic, Fixtures.numbered(3))
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(offsets(probe), upTo(90))
    }))

  plain("a gap of compacted records is read over", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(1, { startAt: "nowhere" })
      yield* cluster.append(topic, Fixtures.numbered(10))
      yield* cluster.removeRecords(topic, 0, [0n, 3n, 4n, 8n, 9n])
      probe.consumer.start([{ topic, partition: 0, offset: 0n }])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(offsets(probe), [1, 2, 5, 6, 7])
      assert.strictEqual(probe.position(topic, 0), 10n)
    }))

  plain("an unclean election leaves a consumer beyond the end, which is told", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(1)
      yield* cluster.append(topic, Fixtures.numbered(10))
      yield* TestClock.adjust("1 second")
      yield* cluster.truncate(topic, 0, 6n)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(probe.outOfRange.map((o) => o.position), [10n])
    }))

  plain("a topic that is deleted ends run", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(2)
      yield* cluster.deleteTopic(topic)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(codeOf(probe), "UnknownTopicError")
    }))
})

describe("brokers", () => {
  plain("one broker that is away: nothing moves, and all goes on when it is back", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(2)
      yield* cluster.brokerAway(0, "1 minute")
      yield* cluster.append(topic, Fixtures.numbered(4, { partitions: 2 }))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(probe.records.length, 0)
      const commit = yield* Effect.flip(Fixtures.driving(probe.consumer.commit(at0(1n))))
      assert.ok(commit._tag === "CommitError" && commit.retriable)
      yield* TestClock.adjust("40 seconds")
      assert.strictEqual(probe.records.length, 4)
      assert.deepStrictEqual([probe.assignments.length, probe.lost.length, probe.ended()], [1, 0, undefined])
      yield* probe.consumer.commit(at0(2n))
    }))

  it_(
    "one of three that is away: its partitions and its groups move to the others",
    { brokers: 3 },
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      const transport = yield* Transport
      yield* cluster.createTopic(topic, { partitions: 6, replicationFactor: 3 })
      yield* cluster.createTopic("alone", { partitions: 3 })
      const probe = yield* member({ subscription: { _tag: "Topics", topics: [topic, "alone"] } })
      yield* TestClock.adjust("1 second")
      for (const broker of [0, 1, 2]) {
        yield* cluster.brokerAway(broker, "20 seconds")
        yield* cluster.append(topic, Fixtures.numbered(6, { partitions: 6 }))
        yield* cluster.append("alone", [{ partition: broker, value: "v" }])
        yield* TestClock.adjust("5 seconds")
        const admin = yield* transport.admin
        const [described] = yield* admin.describeTopics([topic])
        assert.isTrue(described!.partitions.every((p) => p.leader !== broker && p.isr.length === 2))
        assert.strictEqual(probe.records.filter((r) => r.topic === topic).length, 6 * (broker + 1))
        assert.strictEqual(probe.records.filter((r) => r.topic === "alone").length, broker)
        yield* probe.consumer.commit(at0(BigInt(broker)))
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual(probe.records.filter((r) => r.topic === "alone").length, broker + 1)
      }
      assert.deepStrictEqual([probe.assignments.length, probe.lost.length, probe.ended()], [1, 0, undefined])
    })
  )

  plain("with no broker there, run says so after a few attempts", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.createTopic(topic)
      yield* cluster.brokerAway(0, "1 hour")
      const probe = yield* member()
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(codeOf(probe), "ConnectionError")
    }))

  plain("a leader change costs a look-up and no record", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(1)
      for (let i = 0; i < 5; i++) {
        yield* cluster.changeLeader(topic, 0)
        yield* cluster.append(topic, Fixtures.numbered(2))
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(offsets(probe), upTo(10))
      assert.deepStrictEqual(probe.batches.map((b) => b.leaderEpoch), [1, 2, 3, 4, 5])
    }))
})

describe("faults of a request", () => {
  plain("a membership survives every transient refusal", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(2)
      const codes = [
        "NOT_COORDINATOR",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "REQUEST_TIMED_OUT"
      ]
      for (const code of codes) {
        yield* cluster.apply(FaultPlan.all(
          FaultPlan.fail("heartbeat", code),
          FaultPlan.fail("join", code),
          FaultPlan.fail("sync", code),
          FaultPlan.lose("join"),
          FaultPlan.loseAnswer("join"),
          FaultPlan.loseAnswer("sync"),
          FaultPlan.repeat("heartbeat")
        ))
        yield* cluster.expireSession({ clientId: "a" })
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(probe.held().size, 2)
      }
      assert.strictEqual(probe.lost.length, codes.length)
      assert.isUndefined(probe.ended())
    }))

  plain("what nobody can mend ends run with its type", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.createTopic(topic)
      const cases = [
        [FaultPlan.fail("join", "GROUP_AUTHORIZATION_FAILED"), "AuthorizationError"],
        [FaultPlan.fail("join", "SASL_AUTHENTICATION_FAILED"), "AuthenticationError"],
        [FaultPlan.fail("fetch", "TOPIC_AUTHORIZATION_FAILED"), "AuthorizationError"],
        [FaultPlan.fail("join", "GROUP_MAX_SIZE_REACHED"), "GROUP_MAX_SIZE_REACHED"],
        [FaultPlan.fail("sync", "INCONSISTENT_GROUP_PROTOCOL"), "INCONSISTENT_GROUP_PROTOCOL"]
      ] as const
      for (const [plan, expected] of cases) {
        yield* cluster.apply(plan)
        yield* Effect.scoped(Effect.gen(function*() {
          const probe = yield* member()
          yield* TestClock.adjust("1 second")
          assert.strictEqual(codeOf(probe), expected)
        }))
      }
    }))

  plain("a commit whose answers all get lost is stored and reported as failed", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(1)
      yield* cluster.apply(FaultPlan.loseAnswer("commit", { times: 100 }))
      const error = yield* Effect.flip(Fixtures.driving(probe.consumer.commit(at0(5n, "m"))))
      assert.ok(error._tag === "CommitError" && error.retriable)
      const stored = yield* cluster.committed(groupId)
      assert.deepStrictEqual(stored, [{ topic, partition: 0, offset: 5n, metadata: "m" }])
      yield* cluster.clearFaults
      yield* probe.consumer.commit(at0(6n))
    }))

  plain("a commit that is refused tells Kafka's code, and whether another try may help", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(1)
      const commit = (code: string, times = 1) =>
        Effect.gen(function*() {
          yield* cluster.apply(FaultPlan.fail("commit", code, { times }))
          const result = yield* Effect.result(Fixtures.driving(probe.consumer.commit(at0(1n))))
          yield* cluster.clearFaults
          if (Result.isSuccess(result)) return "success"
          assert.ok(result.failure._tag === "CommitError")
          return [result.failure.code, result.failure.retriable]
        })
      assert.deepStrictEqual(yield* commit("COORDINATOR_NOT_AVAILABLE", 3), "success")
      assert.deepStrictEqual(yield* commit("NOT_COORDINATOR", 100), ["NOT_COORDINATOR", true])
      assert.deepStrictEqual(yield* commit("INVALID_COMMIT_OFFSET_SIZE"), ["INVALID_COMMIT_OFFSET_SIZE", false])
    }))

  plain(
    "a commit that tells of a rebalance, or of the end of the membership, makes the member act",
    () =>
      Effect.gen(function*() {
        const { cluster, probe } = yield* withMember(1)
        yield* cluster.expireSession({ clientId: "a" })
        const error = yield* Effect.flip(probe.consumer.commit(at0(1n)))
        assert.ok(error._tag === "CommitError" && error.code === "UNKNOWN_MEMBER_ID" && !error.retriable)
        assert.strictEqual(probe.lost.length, 1)
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(probe.assignments.length, 2)
      })
  )

  plain("a target picks whom a fault is for", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(2)
      const other = yield* member({ with: { clientId: "b" } })
      yield* TestClock.adjust("5 seconds")
      yield* cluster.apply(FaultPlan.fail("commit", "INVALID_REQUEST", { target: { clientId: "b" } }))
      yield* probe.consumer.commit(at0(1n))
      const error = yield* Effect.flip(other.consumer.commit(at0(2n)))
      assert.strictEqual(error._tag, "CommitError")
      yield* cluster.expireSession({ groupId, index: 1 })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual([probe.lost.length, other.lost.length], [0, 1])
    }))

  plain("without faults left, a plan is over", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(1)
      yield* cluster.apply(FaultPlan.at("10 seconds", FaultPlan.fail("commit", "INVALID_REQUEST")))
      yield* probe.consumer.commit(at0(1n))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Effect.flip(probe.consumer.commit(at0(2n))))._tag, "CommitError")
      yield* probe.consumer.commit(at0(3n))
      assert.deepStrictEqual((yield* cluster.commits(groupId)).map((c) => [c.at, c.offset]), [[100, 1n], [10_100, 3n]])
    }))
})

describe("producing", () => {
  const settings = (over: { readonly enableIdempotence?: boolean; readonly acks?: -1 | 0 | 1 } = {}) => ({
    clientId: "p",
    acks: -1 as const,
    enableIdempotence: true,
    compressionType: "none" as const,
    requestTimeoutMs: 30_000,
    retryBackoffMs: 100,
    deliveryTimeoutMs: 5_000,
    ...over
  })

  const sendThree = (over?: Parameters<typeof settings>[0]) =>
    Effect.gen(function*() {
      const transport = yield* Transport
      const producer = yield* transport.producer(settings(over))
      for (let i = 0; i < 3; i++) {
        const records = [Fixtures.outgoing({ key: "k", value: String(i) })]
        yield* Fixtures.driving(producer.send([{ topic, partition: 0, records }]))
      }
    })

  const values = (records: ReadonlyArray<MemoryCluster.StoredRecord>) => records.map((r) => Fixtures.text(r.value))

  const cases: ReadonlyArray<readonly [string, FaultPlan.FaultPlan]> = [
    ["lost answers", FaultPlan.loseAnswer("produce", { times: 2 })],
    ["repeated requests", FaultPlan.repeat("produce", { times: 2 })]
  ]
  for (const [name, plan] of cases) {
    plain(`${name}: an idempotent producer writes once, another one writes duplicates`, () =>
      Effect.gen(function*() {
        const cluster = yield* MemoryCluster.MemoryCluster
        yield* cluster.createTopic(topic)
        yield* cluster.apply(plan)
        yield* sendThree()
        assert.deepStrictEqual(values(yield* cluster.records(topic)), ["0", "1", "2"])
        yield* cluster.createTopic(topic)
        yield* cluster.apply(plan)
        yield* sendThree({ enableIdempotence: false })
        const all = values(yield* cluster.records(topic)).slice(3)
        assert.isAbove(all.length, 3)
        assert.deepStrictEqual([...new Set(all)], ["0", "1", "2"])
      }))
  }

  plain("a send gives up after its delivery timeout, with a retriable error", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.createTopic(topic)
      yield* cluster.brokerAway(0, "1 minute")
      const error = yield* Effect.flip(sendThree())
      assert.ok(error._tag === "ProduceError" && error.retriable)
      const now = yield* Clock.currentTimeMillis
      assert.isTrue(now > 3_000 && now <= 5_000, `${now} ms`)
    }))

  plain("without acknowledgements nothing is known, and nothing fails", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.createTopic(topic)
      yield* cluster.apply(FaultPlan.lose("produce"))
      yield* sendThree({ acks: 0 })
      assert.deepStrictEqual(values(yield* cluster.records(topic)), ["1", "2"])
    }))

  plain("a broker that sets the times sets them", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.createTopic(topic, { configs: { "message.timestamp.type": "LogAppendTime" } })
      yield* TestClock.adjust("7 seconds")
      const producer = yield* (yield* Transport).producer(settings())
      yield* producer.send([{ topic, partition: 0, records: [Fixtures.outgoing({ value: "v", timestamp: 1 })] }])
      assert.deepStrictEqual((yield* cluster.records(topic)).map((r) => r.timestamp), [7_000])
    }))
})

describe("retention", () => {
  const after = (configs: Readonly<Record<string, string>>, wait: Duration.Input) =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.createTopic(topic, { configs })
      for (let i = 0; i < 10; i++) {
        yield* cluster.append(topic, [{ key: `k${i % 2}`, value: "x".repeat(91 - 2) }])
        yield* TestClock.adjust("1 minute")
      }
      yield* TestClock.adjust(wait)
      return (yield* cluster.records(topic)).map((r) => Number(r.offset))
    })

  plain("by age, at the broker's own pace", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* after({ "retention.ms": "420000" }, "0 seconds"), upTo(7, 3))
    }))

  plain("by size", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* after({ "retention.bytes": "300" }, "6 minutes"), [7, 8, 9])
    }))

  plain("by key", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* after({ "cleanup.policy": "compact" }, "6 minutes"), [8, 9])
    }))

  plain("a consumer that is behind is told, and the group's offset stays", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(1, { startAt: "nowhere" })
      yield* cluster.append(topic, Fixtures.numbered(10))
      yield* probe.consumer.commit(at0(2n))
      yield* cluster.deleteRecords(topic, 0, 5n)
      probe.consumer.start([{ topic, partition: 0, offset: 2n }])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(probe.outOfRange.map((o) => o.position), [2n])
      assert.deepStrictEqual(yield* cluster.bounds(topic, 0), { begin: 5n, end: 10n })
      const [committed] = yield* probe.consumer.committed([TopicPartition.make(topic, 0)])
      assert.strictEqual(committed!.offset, 2n)
    }))
})

describe("the history of commits", () => {
  plain("says who committed what and when", () =>
    Effect.gen(function*() {
      const { cluster, probe } = yield* withMember(1)
      const [live] = yield* cluster.members
      yield* probe.consumer.commit(at0(1n, "one"))
      yield* TestClock.adjust("1 second")
      yield* probe.consumer.commit(at0(2n, "two"))
      assert.deepStrictEqual(yield* cluster.commits(groupId), [
        { topic, partition: 0, offset: 1n, metadata: "one", at: 100, memberId: live!.memberId, generation: 1 },
        { topic, partition: 0, offset: 2n, metadata: "two", at: 1_100, memberId: live!.memberId, generation: 1 }
      ])
    }))
})

describe("on the live clock", () => {
  it.live("records flow as they are sent", () =>
    Effect.gen(function*() {
      const cluster = yield* MemoryCluster.MemoryCluster
      yield* cluster.createTopic(topic, { partitions: 2 })
      const probe = yield* member()
      for (let i = 0; i < 20; i++) {
        yield* cluster.append(topic, Fixtures.numbered(100, { partitions: 2 }))
        yield* Effect.sleep(2)
      }
      while (probe.records.length < 2_000) yield* Effect.sleep(2)
      assert.deepStrictEqual(offsets(probe, 0), upTo(1_000))
      assert.deepStrictEqual(offsets(probe, 1), upTo(1_000))
    }).pipe(Effect.scoped, Effect.provide(MemoryCluster.layer)))
})
