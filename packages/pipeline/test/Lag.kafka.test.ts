/** Lag on a real Kafka: in records against Kafka's own tool, in seconds against timestamps that are known. */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Admin from "@weft/kafka/Admin"
import * as Codec from "@weft/kafka/Codec"
import * as Producer from "@weft/kafka/Producer"
import { keyOf } from "@weft/kafka/TopicPartition"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { runKafkaTool } from "../../../scripts/servers/kafkaJars.ts"
import { brokers, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import * as GroupMonitor from "../src/GroupMonitor.ts"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as Pipeline from "../src/Pipeline.ts"

/** A row of the tool; `-` where it does not know. */
interface ToolRow {
  readonly key: string
  readonly committed: string
  readonly end: string
  readonly lag: string
  readonly isOwned: boolean
}

const describeByTool = (group: string): Effect.Effect<ReadonlyArray<ToolRow>> =>
  Effect.map(
    Effect.promise(() =>
      runKafkaTool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", [
        "--bootstrap-server",
        brokers().join(","),
        "--describe",
        "--group",
        group
      ])
    ),
    (text) =>
      text.split("\n").map((line) => line.trim().split(/\s+/)).filter(([name]) => name === group).map(
        ([, topic, partition, committed, end, lag, member]) => ({
          key: keyOf(topic!, Number(partition)),
          committed: committed!,
          end: end!,
          lag: lag!,
          isOwned: member !== "-"
        })
      ).sort((a, b) => a.key < b.key ? -1 : 1)
  )

/** The same rows, by what a look found. */
const rowsOf = ({ partitions, uncommitted }: GroupMonitor.GroupLag, owned: ReadonlySet<string>) =>
  [
    ...partitions.map(({ sample }): ToolRow => {
      const key = keyOf(sample.topic, sample.partition)
      return {
        key,
        committed: String(sample.consumerOffset),
        end: String(sample.endOffset),
        lag: String(sample.lag),
        isOwned: owned.has(key)
      }
    }),
    // The tool tells of them only where a member holds them.
    ...uncommitted.flatMap(({ end, partition, topic }): ReadonlyArray<ToolRow> => {
      const key = keyOf(topic, partition)
      return owned.has(key) ? [{ key, committed: "-", end: String(end), lag: "-", isOwned: true }] : []
    })
  ].sort((a, b) => a.key < b.key ? -1 : 1)

const until = <E, R>(what: string, done: Effect.Effect<boolean, E, R>) =>
  Effect.gen(function*() {
    for (let i = 0; i < 2_400; i++) {
      if (yield* done) return
      yield* Effect.sleep("50 millis")
    }
    assert.fail(`not in time: ${what}`)
  })

describe("lag on Kafka", () => {
  it.live(
    "is what Kafka's own tool reports, for owned, unowned, empty and half-consumed partitions; seconds are those of known timestamps",
    () =>
      Effect.gen(function*() {
        const read = yield* Effect.promise(() => freshTopic("lag-read", 4))
        const other = yield* Effect.promise(() => freshTopic("lag-other", 5))
        const group = freshGroup("lag")
        const admin = yield* Admin.Admin
        const producer = yield* Producer.Producer
        const now = yield* Clock.currentTimeMillis
        const timestampOf = (offset: number) => now - 600_000 + offset * 1_000
        const write = (topic: string, partition: number, count: number) =>
          producer.sendAll(
            Array.from({ length: count }, (_, i) => ({
              topic,
              partition,
              key: null,
              value: String(i),
              timestamp: timestampOf(i)
            }))
          )
        // Of the topic that a member reads: all consumed, half, none ever written, one that begins half-way.
        yield* write(read, 0, 10)
        yield* write(read, 1, 10)
        yield* write(read, 3, 10)
        // Of one that nobody reads: half, at the end, empty, its records deleted; the last one without a committed offset.
        yield* write(other, 0, 8)
        yield* write(other, 1, 5)
        yield* write(other, 3, 6)
        yield* write(other, 4, 7)
        const place = (topic: string, partition: number, offset: bigint) => ({ topic, partition, offset })
        yield* admin.setOffsets(group, [
          place(read, 3, 7n),
          place(other, 0, 3n),
          place(other, 1, 5n),
          place(other, 2, 0n),
          place(other, 3, 2n)
        ])
        yield* admin.deleteRecords([place(other, 3, 6n)])

        const scope = yield* Scope.make()
        yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
        const running = yield* Effect.provideService(
          Pipeline.startWithin(Pipeline.make({
            service: "lag",
            topics: [read],
            key: Codec.string,
            value: Codec.string,
            drainTimeout: "1 second",
            metricsInterval: "500 millis",
            process: ({ offset, partition }) => partition === 1 && offset === 4n ? Effect.never : Effect.void,
            overrides: {
              groupId: group,
              clientId: "lag",
              heartbeatIntervalMs: 300,
              sessionTimeoutMs: 45_000,
              fetchMaxWaitMs: 100,
              autoCommitIntervalMs: 200
            }
          })),
          Scope.Scope,
          scope
        )
        yield* until(
          "the member commits as far as it comes",
          Effect.map(admin.committedOffsets(group, [read]), (offsets) => {
            const at = new Map(offsets.map(({ offset, partition }) => [partition, offset]))
            return at.get(0) === 10n && at.get(1) === 4n && at.get(3) === 10n
          })
        )
        const monitor = GroupMonitor.make({
          groups: (name) => name === group,
          uncommitted: { topics: [read, other] }
        })
        const look = Effect.map(monitor.look, ({ groups }) => groups[0]!)
        const owned = new Set([0, 1, 2, 3].map((partition) => keyOf(read, partition)))

        const byTool = yield* describeByTool(group)
        const seen = yield* look
        assert.deepStrictEqual(rowsOf(seen, owned), byTool)
        assert.deepStrictEqual(
          byTool.map(({ isOwned, lag }) => [isOwned, lag]),
          [[false, "5"], [false, "0"], [false, "0"], [false, "4"], [true, "0"], [true, "6"], [true, "-"], [true, "0"]]
        )
        assert.strictEqual(seen.state, "Stable")

        // What the member says of itself.
        const own = yield* running.lag
        for (const { sample } of own) {
          const row = byTool.find(({ key }) => key === keyOf(sample.topic, sample.partition))!
          assert.strictEqual(String(sample.endOffset), row.end)
          assert.strictEqual(String(sample.lag), row.lag === "-" ? "0" : row.lag)
          // Exact: the age of the record at offset 4.
          const exact = sample.partition === 1 ? (sample.timestamp - timestampOf(4)) / 1_000 : 0
          assert.strictEqual(sample.lagSeconds, exact)
        }
        assert.lengthOf(own, 4)

        // By the admin API alone: within a twentieth.
        const seconds = (topic: string, partition: number) =>
          seen.partitions.find(({ sample }) => sample.topic === topic && sample.partition === partition)!.sample
        for (const [sample, offset] of [[seconds(read, 1), 4], [seconds(other, 0), 3]] as const) {
          const truth = (sample.timestamp - timestampOf(offset)) / 1_000
          assert.closeTo(sample.lagSeconds, truth, truth / 20)
        }
        for (const [topic, partition] of [[read, 0], [other, 1], [other, 2]] as const) {
          assert.strictEqual(seconds(topic, partition).lagSeconds, 0)
        }

        // And once nobody owns any of them.
        yield* Scope.close(scope, Exit.void)
        yield* until("the member has left", Effect.map(look, ({ state }) => state === "Empty"))
        const after = yield* describeByTool(group)
        assert.deepStrictEqual(rowsOf(yield* look, new Set()), after)
        assert.isTrue(after.every(({ isOwned, lag }) => !isOwned && lag !== "-"))
        assert.strictEqual((yield* look).status, "stop")
      }).pipe(
        Effect.scoped,
        Effect.provide(Layer.mergeAll(
          Layer.provideMerge(Layer.mergeAll(Admin.layer, Producer.layer()), KafkaJs.layer({ brokers: brokers() })),
          ConfigStore.layerMemory(),
          MetricsSink.layerNone
        ))
      ),
    300_000
  )
})
