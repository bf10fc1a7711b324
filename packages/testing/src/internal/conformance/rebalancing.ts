/**
 * Rebalances: what stays, what moves, and when.
 */
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type Behaviour, ConformanceEnv } from "../../ConformanceEnv.ts"
import type * as Probe from "../../Probe.ts"
import {
  check,
  same,
  pass,
  drive,
  eventually,
  type Bench,
  bench,
  becomes,
  numbered,
  offsetsOf,
  upTo,
  keptTheRules,
  joined,
  shared,
  behaviour
} from "./bench.ts"

export const rebalancing: ReadonlyArray<Behaviour> = [
  behaviour("rebalance: a partition that stays goes on without a gap or a repeat", () =>
    Effect.gen(function*() {
      const b = yield* bench(4)
      const first = yield* b.member()
      yield* joined(first, 4)
      let written = 0
      const writeSome = Effect.suspend(() => {
        const from = written
        written += 40
        return b.write(numbered(40, { partitions: 4, from }))
      })
      yield* writeSome
      yield* eventually("the first records", () => first.records.length === 40)
      const second = yield* b.member()
      for (let i = 0; i < 10; i++) {
        yield* writeSome
        yield* pass("300 millis")
      }
      yield* shared(4, first, second)
      yield* writeSome
      const each = written / 4
      const kept = [0, 1, 2, 3].filter((n) => first.held().has(b.partition(n).key))
      yield* eventually(
        "all of the partitions that stayed",
        () => kept.every((n) => offsetsOf(first, n).length >= each)
      )
      yield* pass("500 millis")
      for (const n of kept) yield* same(offsetsOf(first, n), upTo(each), `offsets of partition ${n}, which stayed`)
      // The others were not committed, so their new owner reads them from the beginning: nothing is lost.
      for (const n of [0, 1, 2, 3].filter((n) => !kept.includes(n))) {
        yield* eventually(`all of partition ${n}, which moved`, () => offsetsOf(second, n).length >= each)
        yield* same(offsetsOf(second, n), upTo(each), `offsets of partition ${n}, which moved`)
      }
      yield* keptTheRules(first, second)
    })),

  behaviour(
    "rebalance: partitions that are not answered as retained wait for their start",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        const first = yield* b.member({ startAt: "beginning", retain: false })
        yield* joined(first, 2)
        const second = yield* b.member({ startAt: "nowhere" })
        yield* shared(2, first, second)
        yield* b.write(numbered(20, { partitions: 2 }))
        yield* pass("1 second")
        yield* same(second.records.length, 0, "records of the member that never started")
        yield* eventually("records of the member that did", () => first.records.length === 10)
        yield* keptTheRules(first, second)
      })
  ),

  behaviour(
    "rebalance: the partitions move when beforeRevoke has ended, and commits made in it are stored",
    () =>
      Effect.gen(function*() {
        const env = yield* ConformanceEnv
        const b = yield* bench(2)
        yield* b.write(numbered(20, { partitions: 2 }))
        let done = false
        let othersAtTheEnd = -1
        const others: Array<Probe.Probe> = []
        const failures: Array<KafkaError> = []
        const first = yield* b.member({
          beforeRevoke: (partitions, consumer) =>
            Effect.gen(function*() {
              for (let i = 0; i < 6; i++) {
                yield* Effect.sleep("300 millis")
                yield* consumer.heartbeat
              }
              yield* consumer.commit(partitions.map(({ partition, topic }) => ({
                topic,
                partition,
                offset: 10n,
                metadata: "drained"
              })))
            }).pipe(
              Effect.catch((error) => Effect.sync(() => failures.push(error))),
              Effect.andThen(Effect.sync(() => {
                othersAtTheEnd = others[0]?.held().size ?? 0
                done = true
              }))
            )
        })
        yield* eventually("all records", () => first.records.length === 20)
        const second = yield* b.member()
        others.push(second)
        yield* eventually("beforeRevoke has ended", () => done)
        yield* same(failures.map((e) => e.message), [], "failures while draining")
        yield* same(othersAtTheEnd, 0, "partitions of the other member while the first one drained")
        yield* shared(2, first, second)
        yield* env.pass("1 second")
        yield* same(second.records.length, 0, "records that were committed and came again")
        // All of them, or those alone that had to move.
        const drained = new Set(first.revoked.flat().map((p) => p.partition))
        yield* same(
          (yield* drive(b.admin.committedOffsets(b.group, [b.topic])))
            .filter((c) => c.offset !== undefined)
            .map((c) => [c.partition, c.offset, c.metadata]),
          [0, 1].filter((partition) => drained.has(partition)).map((partition) => [partition, 10n, "drained"]),
          "committed offsets"
        )
        yield* keptTheRules(first, second)
      })
  ),

  behaviour(
    "rebalance: nothing of these partitions is handed over while beforeRevoke runs",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        const during: Array<number> = []
        const first: Probe.Probe = yield* b.member({
          beforeRevoke: (partitions, consumer) =>
            Effect.gen(function*() {
              const handedOver = () =>
                first.batches.filter((batch) => partitions.some((p) => p.partition === batch.partition)).length
              during.push(handedOver())
              for (let i = 0; i < 3; i++) {
                yield* Effect.sleep("300 millis")
                yield* Effect.ignore(consumer.heartbeat)
              }
              during.push(handedOver())
            })
        })
        yield* joined(first, 2)
        const second = yield* b.member()
        const env = yield* ConformanceEnv
        const giveUpAt = (yield* Clock.currentTimeMillis) + env.patienceMs
        while (during.length < 2 && (yield* Clock.currentTimeMillis) < giveUpAt) {
          yield* b.write(numbered(2, { partitions: 2 }))
          yield* pass("100 millis")
        }
        yield* check(during.length >= 2, "beforeRevoke did not end")
        yield* same(during[1], during[0], "batches before and after")
        yield* shared(2, first, second)
        yield* keptTheRules(first, second)
      })
  ),

  behaviour(
    "rebalance: a member that drains for too long is out; its commit is refused, and it joins again",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(2)
        const results: Array<string> = []
        let calls = 0
        let hasOtherAll = () => false
        const first = yield* b.member({
          with: { maxPollIntervalMs: 2_000 },
          beforeRevoke: (partitions, consumer) =>
            calls++ > 0 ? Effect.void : Effect.gen(function*() {
              while (!hasOtherAll()) yield* Effect.sleep("50 millis")
              const offsets = partitions.map(({ partition, topic }) => ({ topic, partition, offset: 1n, metadata: "" }))
              const result = yield* Effect.result(consumer.commit(offsets))
              results.push(Result.isFailure(result) ? result.failure._tag : "success")
            })
        })
        yield* joined(first, 2)
        const second = yield* b.member({ with: { maxPollIntervalMs: 2_000 } })
        hasOtherAll = () => second.held().size === 2
        yield* eventually("the other member has all, and the first has drained", () => results.length > 0)
        yield* same(results, ["CommitError"], "the commit of the member that is out")
        yield* shared(2, first, second)
      })
  ),

  behaviour(
    "rebalance: a member that is closed leaves, and the others take over within its session",
    () =>
      Effect.gen(function*() {
        const env = yield* ConformanceEnv
        const b = yield* bench(2)
        // Longer than the suite is patient: whoever does not leave is waited for in vain.
        const longer = { sessionTimeoutMs: env.patienceMs * 2 }
        const first = yield* b.member({ with: longer })
        yield* joined(first, 2)
        yield* Effect.scoped(Effect.gen(function*() {
          const second = yield* b.member({ with: longer })
          yield* shared(2, first, second)
        }))
        yield* eventually("the first has all again", () => first.held().size === 2)
        yield* keptTheRules(first)
      })
  ),

  behaviour(
    "rebalance: members that prefer different strategies share the group all the same",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(4)
        const first = yield* b.member({ with: { partitionAssignmentStrategy: "range" } })
        yield* joined(first, 4)
        const second = yield* b.member({ with: { partitionAssignmentStrategy: "sticky" } })
        yield* shared(4, first, second)
        yield* same([first.ended(), second.ended()], [undefined, undefined], "the ends of run")
        yield* keptTheRules(first, second)
      })
  ),

  behaviour(
    "rebalance: more members than partitions: some have none, and take over when one leaves",
    () =>
      Effect.gen(function*() {
        const b = yield* bench(1)
        const first = yield* b.member()
        yield* joined(first, 1)
        yield* Effect.scoped(Effect.gen(function*() {
          const second = yield* b.member()
          // A member that keeps what it has need not hear of the other.
          yield* eventually("one of two has it", () =>
            second.assignments.length > 0 && first.held().size + second.held().size === 1)
          yield* becomes("members", membersOf(b), 2)
        }))
        yield* b.write(numbered(3))
        yield* eventually("the records", () =>
          first.held().size === 1 && first.records.length >= 3)
        yield* keptTheRules(first)
      })
  )
]

const membersOf = ({ admin, group }: Bench) =>
  Effect.map(admin.describeGroups([group]), ([description]) => description?.members.length ?? 0)
