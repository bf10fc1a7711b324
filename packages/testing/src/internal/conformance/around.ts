/**
 * Offsets, producer and admin.
 */
import * as Effect from "effect/Effect"
import type { Behaviour } from "../../ConformanceEnv.ts"
import * as Fixtures from "../../Fixtures.ts"
import {
  check,
  same,
  drive,
  eventually,
  becomes,
  bench,
  numbered,
  offsetsOf,
  upTo,
  joined,
  failsWith,
  behaviour
} from "./bench.ts"

export const around: ReadonlyArray<Behaviour> = [
  behaviour("offsets: beginning, end, and by time", () =>
    Effect.gen(function*() {
      const b = yield* bench(2)
      const at = (n: number) => 1_700_000_000_000 + n * 1_000
      yield* b.write(upTo(5).map((n) => Fixtures.outgoing({ key: "k", value: String(n), timestamp: at(n) })))
      const probe = yield* b.member()
      yield* joined(probe, 2)
      const both = [b.partition(0), b.partition(1)]
      for (const listOffsets of [probe.consumer.listOffsets, b.admin.listOffsets]) {
        const offsets = (spec: Parameters<typeof listOffsets>[1]) =>
          Effect.map(drive(listOffsets(both, spec)), (found) => found.map((o) => o.offset))
        yield* same(yield* offsets("earliest"), [0n, 0n], "beginnings")
        yield* same(yield* offsets("latest"), [5n, 0n], "ends")
        yield* same(yield* offsets({ timestamp: at(3) }), [3n, 0n], "by a time that a record has")
        yield* same(yield* offsets({ timestamp: at(3) + 1 }), [4n, 0n], "by a time between two records")
        yield* same(yield* offsets({ timestamp: at(99) }), [5n, 0n], "by a time after all records")
      }
    })),

  behaviour("producer: answers the first offset of each part, in the order given", () =>
    Effect.gen(function*() {
      const b = yield* bench(2)
      const records = (count: number) => upTo(count).map((n) => Fixtures.outgoing({ key: null, value: String(n) }))
      const parts = [
        { topic: b.topic, partition: 1, records: records(3) },
        { topic: b.topic, partition: 0, records: records(2) }
      ]
      yield* same(
        (yield* drive(b.producer.send(parts))).map((o) => [o.partition, o.offset]),
        [[1, 0n], [0, 0n]],
        "first"
      )
      yield* same(
        (yield* drive(b.producer.send(parts))).map((o) => [o.partition, o.offset]),
        [[1, 3n], [0, 2n]],
        "second"
      )
      yield* same(yield* drive(b.producer.partitionCount(b.topic)), 2, "partitions")
    })),

  behaviour("producer: what cannot be written fails with its reason", () =>
    Effect.gen(function*() {
      const b = yield* bench(1, { "max.message.bytes": "2000" })
      const missing = yield* Fixtures.uniqueName("missing")
      const record = Fixtures.outgoing({ key: "k", value: "v" })
      yield* failsWith(b.producer.partitionCount(missing), "UnknownTopicError")
      yield* failsWith(b.producer.send([{ topic: missing, partition: 0, records: [record] }]), "UnknownTopicError")
      const large = Fixtures.outgoing({ key: "k", value: "x".repeat(4_000) })
      const error = yield* failsWith(
        b.producer.send([{ topic: b.topic, partition: 0, records: [large] }]),
        "ProduceError"
      )
      yield* same(error._tag === "ProduceError" ? error.code : "", "MESSAGE_TOO_LARGE", "code")
      yield* b.write([record])
      const [end] = yield* drive(b.admin.listOffsets([b.partition(0)], "latest"))
      yield* same(end!.offset, 1n, "end of the log")
    })),

  behaviour("admin: topics are made, described, changed and deleted", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const name = yield* Fixtures.uniqueName("conformance-admin")
      const wanted = { name, partitions: 2, configs: { "retention.ms": "123456" } }
      yield* same(yield* drive(b.admin.createTopics([wanted])), true, "created")
      yield* same(yield* drive(b.admin.createTopics([wanted])), false, "created again")
      const isListed = Effect.map(b.admin.listTopics, (topics) => topics.includes(name))
      const partitions = Effect.map(b.admin.describeTopics([name]), ([topic]) => topic!.partitions.length)
      const retention = Effect.map(b.admin.describeConfigs({ _tag: "Topic", name }), (configs) => {
        const found = configs.find((c) => c.name === "retention.ms")
        return [found?.value, found?.isDefault]
      })
      yield* becomes("whether the topic is listed", isListed, true)
      yield* becomes("partitions", partitions, 2)
      yield* becomes("retention.ms", retention, ["123456", false])
      yield* drive(b.admin.createPartitions(name, 5))
      yield* becomes("partitions after the change", partitions, 5)
      yield* drive(b.admin.alterConfigs({ _tag: "Topic", name }, { "retention.ms": "654321" }))
      yield* becomes("retention.ms after the change", retention, ["654321", false])
      yield* drive(b.admin.deleteTopics([name]))
      yield* becomes("whether the deleted topic is listed", isListed, false)
      yield* failsWith(b.admin.describeTopics([name]), "UnknownTopicError")
    })),

  behaviour(
    "admin: groups are listed, described and deleted, and their offsets are set while they are empty",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        yield* b.write(numbered(20, { partitions: 2 }))
        const set = b.admin.setOffsets(b.group, [{ topic: b.topic, partition: 0, offset: 4n }])
        yield* drive(set)
        yield* Effect.scoped(Effect.gen(function*() {
          const probe = yield* b.member({ with: { clientId: "described" } })
          yield* eventually("the records from there on", () => probe.records.length === 16)
          yield* same(offsetsOf(probe, 0), upTo(6, 4), "offsets of partition 0")
          // A member has what it may hold a moment before the group has heard that it does.
          yield* becomes(
            "state, client ids and assignments of the group",
            Effect.map(b.admin.describeGroups([b.group]), ([group]) => [
              group!.state,
              group!.members.map(({ assignment, clientId }) => [clientId, assignment.map(String).sort()])
            ]),
            ["Stable", [["described", [0, 1].map((n) => b.partition(n).key)]]]
          )
          yield* check((yield* drive(b.admin.listGroups)).some((g) => g.groupId === b.group), "the group is listed")
          yield* failsWith(set, "GroupError")
          yield* failsWith(b.admin.deleteGroups([b.group]), "GroupError")
        }))
        yield* becomes(
          "members of the group that all have left",
          Effect.map(b.admin.describeGroups([b.group]), ([group]) => group!.members.length),
          0
        )
        yield* drive(b.admin.deleteGroups([b.group]))
        yield* becomes("offsets of the deleted group", b.admin.committedOffsets(b.group), [])
      })
  ),

  behaviour(
    "admin: many groups are described at once, in the order asked; one that nobody knows is dead",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(1)
        const groups = upTo(60).map((n) => `${b.group}-${(n * 37) % 60}`)
        const known = groups.slice(1)
        yield* drive(Effect.forEach(
          known,
          (group) => b.admin.setOffsets(group, [{ topic: b.topic, partition: 0, offset: 0n }]),
          { concurrency: 4, discard: true }
        ))
        const described = yield* drive(b.admin.describeGroups(groups))
        yield* same(described.map(({ groupId }) => groupId), groups, "groups")
        yield* same(
          [...new Set(described.map(({ members, state }) => `${state} ${members.length}`))],
          ["Dead 0", "Empty 0"],
          "states and members"
        )
        yield* drive(b.admin.deleteGroups(known))
      })
  ),

  behaviour("admin: the cluster describes its brokers", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const { brokers } = yield* drive(b.admin.describeCluster)
      yield* check(brokers.length > 0 && brokers.every((x) => x.port > 0), "brokers with ports")
    }))
]
