import { assert, describe, it } from "@effect/vitest"
import { ConsumerEvent } from "@weft/kafka/ConsumerEvent"
import { TransportError } from "@weft/kafka/KafkaError"
import type { PartitionSnapshot } from "@weft/kafka/PartitionSnapshot"
import { make as topicPartition } from "@weft/kafka/TopicPartition"
import { MemberStats } from "../../src/internal/memberStats.ts"

const error = new TransportError({ transport: "test", reason: "silent", retriable: true, cause: "test" })

const snapshot = (change: Partial<PartitionSnapshot>): PartitionSnapshot => ({
  topic: "t",
  partition: 0,
  state: "active",
  position: 0n,
  watermark: 0n,
  committed: undefined,
  highWatermark: undefined,
  queuedRecords: 0,
  queuedBytes: 0,
  inFlight: 0,
  oldestTimestamp: undefined,
  metadataBytes: 0,
  paused: false,
  backPressured: false,
  halted: false,
  ...change
})

const measure = (stats: MemberStats, partitions: ReadonlyArray<PartitionSnapshot> = []) =>
  stats.measure({
    service: "s",
    group: "g",
    member: "m",
    now: 1_000,
    intervalMs: 100,
    partitions,
    inFlight: 3,
    oldestInFlightMs: 4,
    memoryUsageMb: 5,
    heapUsedMb: 6,
    eventLoopDelayMs: 7
  })

const assigned = ConsumerEvent.Assigned({ memberId: "m", generation: 1, added: [], kept: [] })

describe("memberStats", () => {
  it("counts each event once, in the interval in which it was", () => {
    const stats = new MemberStats()
    for (
      const event of [
        assigned,
        assigned,
        ConsumerEvent.Committed({ offsets: [], durationMs: 10 }),
        ConsumerEvent.Committed({ offsets: [], durationMs: 30 }),
        ConsumerEvent.CommitFailed({ error }),
        ConsumerEvent.Lost({ partitions: [topicPartition("t", 0), topicPartition("t", 1)] }),
        ConsumerEvent.Crashed({ error, restartInMs: 100 }),
        ConsumerEvent.Stalled({ topic: "t", partition: 0, offset: 1n, ageMs: 1, inFlight: 1, fiber: undefined }),
        ConsumerEvent.Fenced({ topic: "t", partition: 0, records: 5 }),
        ConsumerEvent.Fenced({ topic: "t", partition: 1, records: 2 })
      ]
    ) stats.observe(event)
    const counted = {
      rebalances: 1,
      commits: 2,
      commitMeanMs: 20,
      commitFailures: 1,
      lost: 2,
      crashes: 1,
      stalls: 1,
      lateCompletions: 7
    }
    const measured = measure(stats)
    assert.deepInclude(measured, {
      ...counted,
      timestamp: 1_000,
      inFlight: 3,
      oldestInFlightMs: 4,
      eventLoopDelayMs: 7
    })
    assert.closeTo(measured.commitP99Ms, 30, 2)
    const next = measure(stats)
    for (const name of Object.keys(counted) as Array<keyof typeof counted>) assert.strictEqual(next[name], 0, name)
    assert.strictEqual(next.commitP99Ms, 0)
    stats.observe(assigned)
    assert.strictEqual(measure(stats).rebalances, 1)
  })

  it("sums up what the partitions hold", () => {
    const stats = new MemberStats()
    const measured = measure(stats, [
      snapshot({ queuedRecords: 10, queuedBytes: 100, paused: true }),
      snapshot({ partition: 1, queuedRecords: 5, queuedBytes: 50, halted: true, backPressured: true }),
      snapshot({ partition: 2, backPressured: true }),
      snapshot({ partition: 3 })
    ])
    assert.deepInclude(measured, { partitions: 4, pausedPartitions: 3, queuedRecords: 15, queuedBytes: 150 })
  })

  it("what is not committed counts from the commit; before the first, from where the partition began", () => {
    const stats = new MemberStats()
    const uncommitted = (change: Partial<PartitionSnapshot>) => measure(stats, [snapshot(change)]).uncommittedRecords
    assert.strictEqual(uncommitted({ watermark: 50n, committed: 20n }), 30)
    assert.strictEqual(uncommitted({ watermark: 10n, committed: 20n }), 0)
    assert.strictEqual(uncommitted({ watermark: 50n }), 0)
    stats.observe(ConsumerEvent.Started({ topic: "t", partition: 0, offset: 40n, from: "latest", settledBeyond: 0 }))
    assert.strictEqual(uncommitted({ watermark: 50n }), 10)
    assert.strictEqual(uncommitted({ partition: 1, watermark: 50n }), 0)
    stats.observe(ConsumerEvent.Revoked({ partitions: [topicPartition("t", 0)] }))
    assert.strictEqual(uncommitted({ watermark: 50n }), 0)
  })
})
