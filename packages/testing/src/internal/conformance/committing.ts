/**
 * Commits.
 */
import * as Effect from "effect/Effect"
import type { Behaviour } from "../../ConformanceEnv.ts"
import {
  same,
  pass,
  drive,
  eventually,
  becomes,
  bench,
  numbered,
  offsetsOf,
  upTo,
  keptTheRules,
  joined,
  shared,
  failsWith,
  behaviour
} from "./bench.ts"

export const committing: ReadonlyArray<Behaviour> = [
  behaviour(
    "commit: offsets are stored with their metadata, and the next member reads them",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        yield* b.write(numbered(40, { partitions: 2 }))
        yield* Effect.scoped(Effect.gen(function*() {
          const first = yield* b.member()
          yield* eventually("all records", () => first.records.length === 40)
          yield* drive(first.consumer.commit([
            { topic: b.topic, partition: 0, offset: 12n, metadata: "finished: 14-17" },
            { topic: b.topic, partition: 1, offset: 20n, metadata: "" }
          ]))
        }))
        const second = yield* b.member()
        yield* eventually("what was not committed", () => second.records.length >= 8)
        yield* pass("500 millis")
        yield* same(offsetsOf(second, 0), upTo(8, 12), "offsets of partition 0")
        yield* same(offsetsOf(second, 1), [], "offsets of partition 1")
        const committed = yield* drive(second.consumer.committed([b.partition(0), b.partition(1)]))
        yield* same(
          committed.map((c) => [c.partition, c.offset, c.metadata]),
          [[0, 12n, "finished: 14-17"], [1, 20n, ""]],
          "committed offsets"
        )
        yield* keptTheRules(second)
      })
  ),

  behaviour("commit: a partition without an offset has none", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const probe = yield* b.member()
      yield* joined(probe)
      const [committed] = yield* drive(probe.consumer.committed([b.partition(0)]))
      yield* same(committed, { topic: b.topic, partition: 0, metadata: "" }, "the committed offset")
    })),

  behaviour("commit: metadata of 4096 bytes is kept, and more is refused", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const probe = yield* b.member()
      yield* joined(probe)
      const commit = (metadata: string) =>
        probe.consumer.commit([{ topic: b.topic, partition: 0, offset: 0n, metadata }])
      yield* drive(commit("m".repeat(4096)))
      yield* failsWith(commit("m".repeat(4097)), "CommitError")
      const [committed] = yield* drive(probe.consumer.committed([b.partition(0)]))
      yield* same(committed!.metadata.length, 4096, "length of the metadata")
    })),

  behaviour("commit: nothing is committed that was not asked for", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      yield* b.write(numbered(100))
      yield* Effect.scoped(Effect.gen(function*() {
        const probe = yield* b.member({ with: { enableAutoCommit: true, autoCommitIntervalMs: 100 } })
        yield* eventually("all records", () => probe.records.length === 100)
        yield* pass("1 second")
      }))
      yield* same(yield* drive(b.admin.committedOffsets(b.group, [b.topic])), [], "committed offsets")
    })),

  behaviour("commit: after the consumer is closed it is no success", () =>
    Effect.gen(function*() {
      const b = yield* bench(1)
      const closed = yield* Effect.scoped(Effect.gen(function*() {
        const probe = yield* b.member()
        yield* joined(probe)
        return probe
      }))
      yield* failsWith(
        closed.consumer.commit([{ topic: b.topic, partition: 0, offset: 1n, metadata: "" }]),
        "CommitError"
      )
      yield* same(yield* drive(b.admin.committedOffsets(b.group, [b.topic])), [], "committed offsets")
    })),

  behaviour(
    "commit: a late one, for a partition that has moved on, is taken: the fence lies above the transport",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        const first = yield* b.member()
        yield* joined(first, 2)
        const second = yield* b.member()
        yield* shared(2, first, second)
        const moved = [...second.held()][0]!
        const offset = { topic: b.topic, partition: moved === b.partition(0).key ? 0 : 1, offset: 7n, metadata: "late" }
        // A broker does not ask who owns a partition; it does ask for the newest generation, which the next heartbeat brings.
        yield* becomes("a late commit", Effect.as(first.consumer.commit([offset]), "taken"), "taken")
        const committed = yield* drive(b.admin.committedOffsets(b.group, [b.topic]))
        yield* same(committed.map((c) => [c.partition, c.offset]), [[offset.partition, 7n]], "committed offsets")
      })
  )
]
