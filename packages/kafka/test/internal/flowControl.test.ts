import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { emptiestFirst } from "../../src/FetchStrategy.ts"
import { AssignedPartition, type PartitionOwner } from "../../src/internal/assignedPartition.ts"
import { FlowControl } from "../../src/internal/flowControl.ts"
import { make as topicPartition } from "../../src/TopicPartition.ts"
import * as FetchedBatch from "../../src/FetchedBatch.ts"

const recordBytes = 100

/** A broker and a consumer in one loop: partitions that are not paused fetch, a reader takes; all at random. */
const simulate = (options: {
  readonly backlogs: ReadonlyArray<number>
  readonly totalBytes: number
  readonly partitionRecords: number
  readonly fetchRecords: number
  readonly choices: () => number
}): { readonly read: number; readonly mostBytes: number } => {
  const paused = new Set<string>()
  const flow = new FlowControl(
    {
      pause: (partitions) => partitions.forEach((one) => paused.add(one.key)),
      resume: (partitions) => partitions.forEach((one) => paused.delete(one.key)),
      onChange: () => {}
    },
    emptiestFirst,
    {
      partitionRecords: options.partitionRecords,
      partitionBytes: Infinity,
      totalBytes: options.totalBytes,
      inFlightBytes: Infinity
    },
    options.fetchRecords * (recordBytes + 160)
  )
  const owner: PartitionOwner = {
    onReady: () => {},
    onTaken: (partition) => flow.onTaken(partition),
    onSettled: () => {},
    onFenced: () => {},
    onHeld: () => {},
    metadataMaxBytes: 4_096
  }
  const all = options.backlogs.map((backlog, number) => {
    const partition = new AssignedPartition(topicPartition("t", number), number, owner)
    partition.startAt(number, 0n, [])
    return { partition, backlog }
  })
  const fetch = ({ backlog, partition }: typeof all[number]): boolean => {
    if (paused.has(partition.topicPartition.key) || Number(partition.position) >= backlog) return false
    const from = Number(partition.position)
    const count = Math.min(options.fetchRecords, backlog - from)
    const batch = FetchedBatch.fromRecords({
      topic: "t",
      partition: partition.topicPartition.partition,
      highWatermark: BigInt(backlog),
      records: Array.from({ length: count }, (_, i) => ({
        offset: BigInt(from + i),
        timestamp: 0,
        key: null,
        value: new Uint8Array(recordBytes),
        headers: []
      }))
    })
    if (partition.admit(batch)) flow.onAdmitted(partition, all.map((one) => one.partition))
    return true
  }
  let read = 0
  let mostBytes = 0
  for (let idle = 0; idle < 2;) {
    const turn = options.choices()
    const one = all[turn % all.length]!
    const moved = turn % 3 === 0
      ? (one.partition.take(7, false)?.size ?? 0)
      : fetch(one)
      ? 1
      : 0
    if (turn % 3 === 0) read += moved
    mostBytes = Math.max(mostBytes, flow.totalBytes)
    if (moved > 0) {
      idle = 0
      continue
    }
    // Whatever can move at all: a fetch of anyone, else a read of anyone.
    const fetched = all.some(fetch)
    const taken = fetched ? 0 : all.reduce((sum, { partition }) => sum + (partition.take(7, false)?.size ?? 0), 0)
    read += taken
    idle = fetched || taken > 0 ? 0 : idle + 1
  }
  return { read, mostBytes }
}

describe("flowControl", () => {
  it("never stops for good, and never exceeds the total by more than what was on its way", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 500, max: 40_000 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 60 }),
        fc.infiniteStream(fc.nat()),
        (backlogs, totalBytes, partitionRecords, fetchRecords, random) => {
          const { mostBytes, read } = simulate({
            backlogs,
            totalBytes,
            partitionRecords,
            fetchRecords,
            choices: () => random.next().value as number
          })
          assert.strictEqual(read, backlogs.reduce((a, b) => a + b, 0))
          assert.isAtMost(mostBytes, totalBytes + fetchRecords * (recordBytes + 160))
        }
      ),
      { numRuns: 100 }
    )
  })
})
