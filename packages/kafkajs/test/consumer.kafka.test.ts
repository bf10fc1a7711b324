/** What the conformance suite does not ask of a transport's consumer. */
import { assert, describe, it } from "@effect/vitest"
import { Transport } from "@weft/kafka/Transport"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { logLevel } from "kafkajs"
import { brokers, freshName } from "../../../test-support/servers.ts"
import { openCluster } from "../src/internal/inside.ts"
import {
  failureOf,
  groupOf,
  member,
  onKafka,
  producerSettings,
  rawKafka,
  record,
  records,
  topicOf,
  until,
  valuesOf
} from "./support.ts"

const membersOf = (group: string) =>
  Effect.gen(function*() {
    const admin = yield* (yield* Transport).admin
    const [description] = yield* admin.describeGroups([group])
    return description!
  }).pipe(Effect.scoped)

/** Takes a member out of its group behind its back, as the coordinator does when a session expires. */
const evict = (groupId: string, memberId: string) =>
  Effect.promise(async () => {
    const { close, cluster, refreshOn } = openCluster({
      brokers: [...brokers()],
      metadataMaxAge: 1000,
      connectionTimeout: 30_000,
      logLevel: logLevel.NOTHING
    })
    await cluster.connect()
    const any = await cluster.brokerPool.findConnectedBroker()
    await refreshOn(any)
    const { coordinator } = await any.findGroupCoordinator({ groupId, coordinatorType: 0 })
    const broker = await cluster.findBroker({ nodeId: String(coordinator.nodeId) })
    await broker.leaveGroup({ groupId, memberId })
    close()
  })

describe("leaving", () => {
  it.live(
    "a consumer that is closed while its join waits for another member leaves nobody behind",
    () =>
      onKafka(Effect.gen(function*() {
        const [topic, group] = [yield* topicOf("zombie", 2), yield* groupOf("zombie")]
        const drained = yield* Deferred.make<void>()
        // The coordinator gives nobody up while the second one leaves.
        const patient = { maxPollIntervalMs: 90_000 }
        const first = yield* member(topic, group, { beforeRevoke: () => Deferred.await(drained), with: patient })
        yield* until(() => first.assignments.length === 1)
        const scope = yield* Scope.make()
        const second = yield* Scope.provide(member(topic, group, { with: patient }), scope)
        // The first one drains, so the join of the second waits.
        yield* until(() => first.revoked.length === 1)
        yield* Effect.sleep("300 millis")
        assert.strictEqual(second.assignments.length, 0)
        yield* Effect.timeout(Scope.close(scope, Exit.void), "30 seconds")
        yield* Deferred.succeed(drained, undefined)
        yield* until(() => first.assignments.length === 2)
        assert.strictEqual(first.held().size, 2)
        const { members, state } = yield* membersOf(group)
        assert.deepStrictEqual([state, members.map(({ memberId }) => memberId)], [
          "Stable",
          [first.assignments[1]!.memberId]
        ])
      })),
    120_000
  )

  it.live(
    "a consumer that is closed at once, at any moment of its first join, leaves an empty group",
    () =>
      onKafka(Effect.gen(function*() {
        const topic = yield* topicOf("at-once")
        const groups: Array<string> = []
        for (const afterMs of [0, 1, 3, 10, 30, 100, 300]) {
          const group = yield* groupOf("at-once")
          groups.push(group)
          yield* Effect.scoped(Effect.andThen(member(topic, group), Effect.sleep(afterMs)))
        }
        for (const group of groups) {
          const { members, state } = yield* membersOf(group)
          assert.deepStrictEqual(members, [])
          assert.include(["Empty", "Dead"], state)
        }
      })),
    120_000
  )
})

describe("connections", () => {
  const sockets = () => process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length

  it.live(
    "none is left behind, at whatever moment a consumer, a producer and admin requests end",
    () =>
      Effect.gen(function*() {
        const before = sockets()
        const topic = yield* topicOf("sockets")
        for (const afterMs of [0, 2, 5, 20, 200]) {
          yield* onKafka(Effect.gen(function*() {
            const transport = yield* Transport
            yield* member(topic, yield* groupOf("sockets"))
            const producer = yield* transport.producer(producerSettings)
            const admin = yield* transport.admin
            yield* Effect.forkChild(producer.send([{ topic, partition: 0, records: records(1) }]))
            yield* Effect.forkChild(Effect.andThen(admin.listTopics, admin.listGroups))
            yield* Effect.sleep(afterMs)
          }))
        }
        yield* Effect.timeout(until(() => sockets() <= before), "60 seconds")
      }),
    120_000
  )
})

describe("membership", () => {
  it.live(
    "a member that the coordinator forgot hears that its partitions are lost, and joins as another",
    () =>
      onKafka(Effect.gen(function*() {
        const [topic, group] = [yield* topicOf("evicted", 2), yield* groupOf("evicted")]
        // Its commit is to be the first that hears of it, and no heartbeat.
        const probe = yield* member(topic, group, { with: { heartbeatIntervalMs: 20_000 } })
        yield* until(() => probe.assignments.length === 1)
        const [{ memberId }] = probe.assignments as [typeof probe.assignments[number]]
        yield* evict(group, memberId)
        const refused = yield* Effect.flip(
          probe.consumer.commit([{ topic, partition: 0, offset: 0n, metadata: "" }])
        )
        assert.strictEqual(refused._tag, "CommitError")
        yield* until(() => probe.assignments.length === 2)
        assert.deepStrictEqual(probe.lost.map((lost) => lost.map(({ partition }) => partition)), [[0, 1]])
        assert.deepStrictEqual(probe.revoked, [])
        assert.notStrictEqual(probe.assignments[1]!.memberId, memberId)
        yield* probe.consumer.commit([{ topic, partition: 0, offset: 0n, metadata: "again" }])
        assert.deepStrictEqual(probe.violations, [])
      })),
    120_000
  )

  it.live("a commit before the first join fails, and says that later may do", () =>
    onKafka(Effect.gen(function*() {
      const [topic, group] = [yield* topicOf("early"), yield* groupOf("early")]
      const probe = yield* member(topic, group)
      const refused = yield* Effect.flip(probe.consumer.commit([{ topic, partition: 0, offset: 0n, metadata: "" }]))
      assert.strictEqual(refused._tag, "CommitError")
      assert.isTrue(refused._tag === "CommitError" && refused.retriable)
    })))

  it.live("members may change their strategy one after the other", () =>
    onKafka(Effect.gen(function*() {
      const [topic, group] = [yield* topicOf("strategies", 4), yield* groupOf("strategies")]
      const one = yield* member(topic, group, { with: { partitionAssignmentStrategy: "range" } })
      yield* until(() => one.held().size === 4)
      const two = yield* member(topic, group, { with: { partitionAssignmentStrategy: "cooperative-sticky" } })
      const three = yield* member(topic, group, { with: { partitionAssignmentStrategy: "roundrobin" } })
      const all = [one, two, three]
      yield* until(() =>
        all.every((probe) => probe.held().size > 0) && all.reduce((n, p) => n + p.held().size, 0) === 4
      )
      assert.deepStrictEqual(all.flatMap((probe) => failureOf(probe) ?? []), [])
      assert.deepStrictEqual(two.consumer.warnings.map(({ setting }) => setting), ["partitionAssignmentStrategy"])
    })))

  it.live("a consumer of kafkajs's own may be in the same group, to be replaced", () =>
    onKafka(Effect.gen(function*() {
      const [topic, group] = [yield* topicOf("mixed", 4), yield* groupOf("mixed")]
      const theirs: Array<number> = []
      const raw = rawKafka()
        .consumer({ groupId: group, heartbeatInterval: 200, maxWaitTimeInMs: 100, rebalanceTimeout: 10_000 })
      raw.on("consumer.group_join", ({ payload }) => {
        theirs.splice(0, 4, ...(payload.memberAssignment[topic] ?? []))
      })
      yield* Effect.acquireRelease(
        Effect.promise(async () => {
          await raw.connect()
          await raw.subscribe({ topics: [topic] })
          await raw.run({ eachMessage: async () => {} })
        }),
        () => Effect.promise(() => raw.disconnect())
      )
      const probe = yield* member(topic, group)
      yield* until(() => theirs.length === 2 && probe.held().size === 2)
      assert.deepStrictEqual(
        [...theirs.map((n) => `${topic}-${n}`), ...probe.held()].sort(),
        [0, 1, 2, 3].map((n) => `${topic}-${n}`)
      )
    })))

  it.live("sticky: a new member takes its share, and the others keep the rest", () =>
    onKafka(Effect.gen(function*() {
      const [topic, group] = [yield* topicOf("sticky", 6), yield* groupOf("sticky")]
      const sticky = { with: { partitionAssignmentStrategy: "sticky" } as const }
      const one = yield* member(topic, group, sticky)
      yield* until(() => one.held().size === 6)
      const two = yield* member(topic, group, sticky)
      yield* until(() => one.held().size === 3 && two.held().size === 3)
      const before = [new Set(one.held()), new Set(two.held())]
      const three = yield* member(topic, group, sticky)
      yield* until(() => one.held().size === 2 && two.held().size === 2 && three.held().size === 2)
      assert.deepStrictEqual([one, two].map((probe, i) => [...probe.held()].every((key) => before[i]!.has(key))), [
        true,
        true
      ])
    })))

  it.live(
    "a session timeout that the broker does not allow ends run with its name",
    () =>
      onKafka(Effect.gen(function*() {
        const [topic, group] = [yield* topicOf("session"), yield* groupOf("session")]
        const probe = yield* member(topic, group, { with: { sessionTimeoutMs: 20, heartbeatIntervalMs: 10 } })
        yield* until(() => probe.ended() !== undefined)
        const error = failureOf(probe)
        assert.strictEqual(error?._tag === "GroupError" ? error.code : error?._tag, "INVALID_SESSION_TIMEOUT")
      })),
    120_000
  )

  it.live("partitions that are added are shared out", () =>
    onKafka(Effect.gen(function*() {
      const transport = yield* Transport
      const [topic, group] = [yield* topicOf("grown", 1), yield* groupOf("grown")]
      const probe = yield* member(topic, group, { with: { metadataMaxAgeMs: 300 } })
      yield* until(() => probe.held().size === 1)
      yield* (yield* transport.admin).createPartitions(topic, 3)
      yield* until(() => probe.held().size === 3)
      const producer = yield* transport.producer(producerSettings)
      yield* producer.send([0, 1, 2].map((partition) => ({ topic, partition, records: records(2) })))
      yield* until(() => probe.records.length === 6)
      assert.deepStrictEqual(probe.violations, [])
    })))

  it.live("a topic that is deleted ends run with its name, not at once", () =>
    onKafka(Effect.gen(function*() {
      const transport = yield* Transport
      const [topic, group] = [yield* topicOf("deleted"), yield* groupOf("deleted")]
      const probe = yield* member(topic, group, { with: { sessionTimeoutMs: 2000 } })
      yield* until(() => probe.held().size === 1)
      yield* (yield* transport.admin).deleteTopics([topic])
      yield* until(() => probe.ended() !== undefined)
      assert.strictEqual(failureOf(probe)?._tag, "UnknownTopicError")
      assert.include(failureOf(probe)?.message, topic)
    })))

  it.live("of several topics, the one that does not exist is named", () =>
    onKafka(Effect.gen(function*() {
      const [topic, group] = [yield* topicOf("known"), yield* groupOf("known")]
      const missing = freshName("missing")
      const probe = yield* member(topic, group, { subscription: { _tag: "Topics", topics: [topic, missing] } })
      yield* until(() => probe.ended() !== undefined)
      const error = failureOf(probe)
      assert.strictEqual(error?._tag === "UnknownTopicError" ? error.topic : error?._tag, missing)
    })))
})

describe("fetching", () => {
  it.live(
    "reads committed transactions alone, and goes on past aborted ones and control records",
    () =>
      onKafka(Effect.gen(function*() {
        const [topic, group] = [yield* topicOf("transactions"), yield* groupOf("transactions")]
        const write = (value: string, end: "commit" | "abort") =>
          Effect.promise(async () => {
            const producer = rawKafka().producer({
              transactionalId: freshName("tx"),
              maxInFlightRequests: 1,
              idempotent: true
            })
            await producer.connect()
            const transaction = await producer.transaction()
            await transaction.send({ topic, messages: [{ value: `${value}1` }, { value: `${value}2` }] })
            await transaction[end]()
            await producer.disconnect()
          })
        yield* write("a", "commit")
        yield* write("b", "abort")
        yield* write("c", "commit")
        yield* write("d", "abort")
        const committed = yield* member(topic, group, { startAt: "beginning" })
        yield* until(() => committed.position(topic, 0) === 12n)
        assert.deepStrictEqual(valuesOf(committed), ["a1", "a2", "c1", "c2"])
        const uncommitted = yield* member(topic, yield* groupOf("uncommitted"), {
          startAt: "beginning",
          with: { isolationLevel: "read_uncommitted" }
        })
        yield* until(() => uncommitted.position(topic, 0) === 12n)
        assert.deepStrictEqual(valuesOf(uncommitted), ["a1", "a2", "b1", "b2", "c1", "c2", "d1", "d2"])
        const [end] = yield* committed.consumer.listOffsets([...committed.assignments[0]!.partitions], "latest")
        assert.strictEqual(end!.offset, 12n)
      })),
    120_000
  )

  it.live(
    "a partition that is resumed is fetched at once, though the broker waits for others",
    () =>
      onKafka(Effect.gen(function*() {
        const transport = yield* Transport
        const [topic, group] = [yield* topicOf("resumed", 2), yield* groupOf("resumed")]
        const producer = yield* transport.producer(producerSettings)
        yield* producer.send([{ topic, partition: 0, records: records(5) }])
        const probe = yield* member(topic, group, { startAt: "nowhere", with: { fetchMaxWaitMs: 60_000 } })
        yield* until(() => probe.held().size === 2)
        const [p0, p1] = probe.assignments[0]!.partitions
        probe.consumer.start([{ topic, partition: p1!.partition, offset: 0n }])
        // Long enough for a fetch of the empty partition to be under way, alone.
        yield* Effect.sleep("200 millis")
        probe.consumer.start([{ topic, partition: p0!.partition, offset: 0n }])
        yield* Effect.timeout(until(() => probe.records.length === 5), "20 seconds")
      })),
    120_000
  )

  it.live(
    "compressed records arrive, from a position in the middle of a batch too",
    () =>
      onKafka(Effect.gen(function*() {
        const transport = yield* Transport
        const [topic, group] = [yield* topicOf("gzip"), yield* groupOf("gzip")]
        const producer = yield* transport.producer({ ...producerSettings, compressionType: "gzip" })
        yield* producer.send([{ topic, partition: 0, records: records(100) }])
        const probe = yield* member(topic, group, { startAt: "nowhere" })
        yield* until(() => probe.held().size === 1)
        probe.consumer.start([{ topic, partition: 0, offset: 95n }])
        yield* until(() => probe.records.length > 0)
        assert.deepStrictEqual(valuesOf(probe), ["95", "96", "97", "98", "99"])
      })),
    120_000
  )
})

describe("fetching", () => {
  it.live(
    "partitions of one broker take turns, however little an answer may hold",
    () =>
      onKafka(Effect.gen(function*() {
        const partitions = 6
        const [topic, group] = [yield* topicOf("turns", partitions), yield* groupOf("turns")]
        const producer = yield* (yield* Transport).producer(producerSettings)
        // Each record in a batch of its own: an answer has room for a few of one partition, and of no other.
        for (let n = 0; n < 60; n++) {
          yield* producer.send(
            Array.from({ length: partitions }, (_, partition) => ({
              topic,
              partition,
              records: [record("x".repeat(500))]
            }))
          )
        }
        const probe = yield* member(topic, group, { with: { fetchMaxBytes: 1_200, maxPartitionFetchBytes: 1_200 } })
        const counts = Array.from({ length: partitions }, () => 0)
        yield* until(() => probe.records.length === 60 * partitions)
        let widest = 0
        for (const { partition } of probe.records) {
          counts[partition]!++
          widest = Math.max(widest, Math.max(...counts) - Math.min(...counts))
        }
        assert.deepStrictEqual(counts, Array.from({ length: partitions }, () => 60))
        assert.isAtMost(widest, 12, "nobody is far ahead while another waits")
      })),
    120_000
  )

  it.live(
    "what brings no records is waited for at the broker, not asked for again and again",
    () =>
      onKafka(Effect.gen(function*() {
        const [topic, group] = [yield* topicOf("idle", 2), yield* groupOf("idle")]
        yield* Effect.promise(async () => {
          const producer = rawKafka().producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
          await producer.connect()
          // The log ends in records that nobody may read, and in a marker.
          for (const end of ["commit", "abort"] as const) {
            const transaction = await producer.transaction()
            await transaction.send({ topic, messages: [0, 1].map((partition) => ({ partition, value: end })) })
            await transaction[end]()
          }
          await producer.disconnect()
        })
        const fetchMaxWaitMs = 250
        const probe = yield* member(topic, group, { with: { fetchMaxWaitMs } })
        yield* until(() => probe.records.length === 2)
        yield* Effect.sleep("500 millis")
        const [before, from] = [probe.alive.fetch, performance.now()]
        yield* Effect.sleep("2500 millis")
        yield* until(() => probe.alive.fetch > before)
        const [fetches, elapsedMs] = [probe.alive.fetch - before, performance.now() - from]
        assert.isAtMost(fetches, elapsedMs / fetchMaxWaitMs + 3)
        assert.lengthOf(probe.records, 2)
      })),
    120_000
  )
})
