import { assert, describe, it } from "@effect/vitest"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import type { SettingWarning } from "@weft/kafka/Transport"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { Broker, ConsumerHeartbeat } from "../../src/Client.ts"
import { encodeAssignment } from "../../src/ConsumerProtocol.ts"
import { codes } from "../../src/ErrorCode.ts"
import { protocolFailure } from "../../src/Failure.ts"
import { epochMembership } from "../../src/internal/epochMembership.ts"
import { joinedMembership } from "../../src/internal/membership.ts"
import { preferredMembership } from "../../src/internal/preferredMembership.ts"
import { consumerPlan } from "../../src/Plan.ts"
import { advance, Answering, idlePump } from "./fixtures.ts"

const { client, group } = Result.getOrThrow(
  consumerPlan(ConsumerSettings.make({ groupId: "g", heartbeatIntervalMs: 1_000 }), {})
)

const memberOf = (of: Answering) =>
  Effect.map(Clock.Clock, (clock) => ({
    cluster: of.cluster,
    coordinator: of.coordinator,
    handler: of.handler,
    pump: idlePump,
    topics: ["in"],
    group,
    client,
    clock,
    leavesForGood: () => false
  }))

/** The answer to a join of a member that does not lead. */
const joinedAs = (generationId: number, errorCode: number = 0) =>
  Promise.resolve({ errorCode, generationId, leaderId: "other", memberId: "m", groupProtocol: "range", members: [] })

describe("a member of a classic group", () => {
  it.effect("looks for the coordinator anew where the answer to its join says that it has moved", () =>
    Effect.gen(function*() {
      const answering: Answering = new Answering({
        joinGroup: () => joinedAs(1, answering.forgotten === 0 ? codes.notCoordinator : 0),
        syncGroup: () => Promise.resolve({ memberAssignment: Buffer.alloc(0) }),
        heartbeat: () => Promise.resolve(undefined)
      })
      const membership = yield* joinedMembership(yield* memberOf(answering))
      const running = yield* Effect.forkChild(membership.run)
      yield* advance(1_000)
      assert.strictEqual(answering.forgotten, 1)
      assert.deepStrictEqual(answering.assigned, [[]])
      yield* Fiber.interrupt(running)
    }))

  for (
    const { expected, name, refusal } of [
      {
        name: "begins anew where another generation had its partitions",
        refusal: codes.rebalanceInProgress,
        expected: { assigned: [["in-0"], [], ["in-0"]], lost: [] as Array<Array<string>> }
      },
      {
        name: "has lost its partitions where the group went on without it",
        refusal: codes.unknownMemberId,
        expected: { assigned: [["in-0"], ["in-0"]], lost: [["in-0"]] }
      }
    ]
  ) {
    it.effect(name, () =>
      Effect.gen(function*() {
        let generation = 0
        let beats = 0
        const answering: Answering = new Answering({
          joinGroup: () => joinedAs(++generation),
          // It was drained for the second generation, and that had ended before it heard of its part.
          syncGroup: () =>
            generation === 2
              ? Promise.reject(protocolFailure(refusal))
              : Promise.resolve({ memberAssignment: encodeAssignment(new Map([["in", [0]]])) }),
          heartbeat: () =>
            ++beats === 1 ? Promise.reject(protocolFailure(codes.rebalanceInProgress)) : Promise.resolve(undefined)
        })
        const membership = yield* joinedMembership(yield* memberOf(answering))
        const running = yield* Effect.forkChild(membership.run)
        yield* advance(5_000)
        assert.strictEqual(generation, 3)
        assert.deepStrictEqual(answering.drained, [["in-0"]])
        assert.deepStrictEqual({ assigned: answering.assigned, lost: answering.lost }, expected)
        yield* Fiber.interrupt(running)
      }))
  }

  it.effect("outlives what its coordinator did not expect", () =>
    Effect.gen(function*() {
      let beats = 0
      const answering: Answering = new Answering({
        joinGroup: () => joinedAs(1),
        syncGroup: () => Promise.resolve({ memberAssignment: Buffer.alloc(0) }),
        heartbeat: () =>
          ++beats <= 3 ? Promise.reject(protocolFailure(codes.unknownServerError)) : Promise.resolve(undefined)
      })
      const membership = yield* joinedMembership(yield* memberOf(answering))
      const running = yield* Effect.forkChild(membership.run)
      yield* advance(5_000)
      assert.isAbove(beats, 4)
      assert.isUndefined(running.pollUnsafe())
      assert.lengthOf(answering.assigned, 1, "without joining again")
      yield* Fiber.interrupt(running)
    }))
})

describe("a member of a classic group whose topic was made anew", () => {
  it.effect("loses what it held of it, and begins with the new one in the next generation", () =>
    Effect.gen(function*() {
      let joins = 0
      const answering: Answering = new Answering({
        joinGroup: () => joinedAs(++joins),
        syncGroup: () =>
          Promise.resolve({
            memberAssignment: encodeAssignment(new Map([["in", [0]], ["out", [0]]]))
          }),
        heartbeat: () => Promise.resolve(undefined)
      })
      const topic = (name: string, topicId: string) => ({
        topicErrorCode: 0,
        topic: name,
        topicId,
        isInternal: false,
        partitionMetadata: []
      })
      answering.metadata = { ...answering.metadata, topicMetadata: [topic("in", "1"), topic("out", "2")] }
      const membership = yield* joinedMembership({ ...(yield* memberOf(answering)), topics: ["in", "out"] })
      const running = yield* Effect.forkChild(membership.run)
      yield* advance(1_500)
      assert.deepStrictEqual([joins, answering.lost], [1, []])
      answering.metadata = { ...answering.metadata, topicMetadata: [topic("in", "3"), topic("out", "2")] }
      yield* advance(1_500)
      assert.deepStrictEqual(answering.lost, [["in-0"]])
      assert.strictEqual(joins, 2)
      yield* advance(3_000)
      assert.strictEqual(joins, 2, "once")
      yield* Fiber.interrupt(running)
    }))
})

describe("a member of a group of KIP-848", () => {
  const topicId = "00000000-0000-0000-0000-000000000001"
  const answer = { memberEpoch: 1, heartbeatIntervalMs: 1_000, assignment: undefined }
  const known = {
    topicErrorCode: 0,
    topic: "in",
    topicId,
    isInternal: false,
    partitionMetadata: []
  }

  it.effect("begins nothing of what it was told before it was fenced", () =>
    Effect.gen(function*() {
      let joins = 0
      const answering = new Answering({
        consumerGroupHeartbeat: ({ memberEpoch }) => {
          if (memberEpoch !== 0) return Promise.reject(protocolFailure(codes.fencedMemberEpoch))
          return Promise.resolve({ ...answer, assignment: [{ topicId, partitions: [joins++] }] })
        }
      })
      // The name of the topic takes longer to learn than the next heartbeat.
      answering.refreshed = Effect.andThen(
        Effect.sleep(5_000),
        Effect.sync(() => {
          answering.metadata = { ...answering.metadata, topicMetadata: [known] }
        })
      )
      const membership = yield* epochMembership(yield* memberOf(answering))
      const running = yield* Effect.forkChild(membership.run)
      yield* advance(5_500)
      assert.deepStrictEqual(answering.assigned[0], ["in-1"])
      yield* Fiber.interrupt(running)
    }))

  it.effect("joins again where its group is gone, or classic by now: it was away for longer than its session", () =>
    Effect.gen(function*() {
      let joins = 0
      let beats = 0
      const answering = new Answering({
        consumerGroupHeartbeat: ({ memberEpoch }) => {
          if (memberEpoch === 0) joins++
          else if (++beats === 2) return Promise.reject(protocolFailure(codes.groupIdNotFound))
          return Promise.resolve({ ...answer, assignment: [{ topicId, partitions: [0] }] })
        }
      })
      answering.metadata = { ...answering.metadata, topicMetadata: [known] }
      const membership = yield* epochMembership(yield* memberOf(answering))
      const running = yield* Effect.forkChild(membership.run)
      yield* advance(5_000)
      assert.isUndefined(running.pollUnsafe())
      assert.strictEqual(joins, 2)
      assert.deepStrictEqual(answering.lost, [["in-0"]])
      assert.deepStrictEqual(answering.assigned, [["in-0"], ["in-0"]])
      yield* Fiber.interrupt(running)
    }))

  it.effect("joins again where it was frozen for longer than its session, and the group is another by now", () =>
    Effect.gen(function*() {
      for (const refusal of [codes.groupIdNotFound, codes.unknownMemberId]) {
        let joins = 0
        let frozenMs = 0
        const answering = new Answering({
          consumerGroupHeartbeat: ({ memberEpoch }) => {
            if (memberEpoch === 0) joins++
            else if (frozenMs > 0 && joins === 1) return Promise.reject(protocolFailure(refusal))
            return Promise.resolve({ ...answer, assignment: [{ topicId, partitions: [0] }] })
          }
        })
        answering.metadata = { ...answering.metadata, topicMetadata: [known] }
        const options = yield* memberOf(answering)
        const clock = Object.create(options.clock, {
          currentTimeMillisUnsafe: { value: () => options.clock.currentTimeMillisUnsafe() + frozenMs }
        })
        const adapted: Array<unknown> = []
        const handler = { ...options.handler, onAdapted: (warning: SettingWarning) => void adapted.push(warning) }
        const membership = yield* preferredMembership({ ...options, clock, handler })
        const running = yield* Effect.forkChild(membership.run)
        yield* advance(1_500)
        frozenMs = 2 * group.sessionTimeoutMs
        yield* advance(3_000)
        assert.isUndefined(running.pollUnsafe())
        assert.deepStrictEqual([joins, adapted], [2, []])
        assert.deepStrictEqual(answering.lost, [["in-0"]])
        assert.deepStrictEqual(answering.assigned, [["in-0"], ["in-0"]])
        yield* Fiber.interrupt(running)
      }
    }))

  it.effect("asks often for what others give up, as long as it is new and has nothing", () =>
    Effect.gen(function*() {
      let beats = 0
      let gives: ReadonlyArray<{ readonly topicId: string; readonly partitions: ReadonlyArray<number> }> = []
      const answering = new Answering({
        consumerGroupHeartbeat: () => {
          beats++
          return Promise.resolve({ ...answer, assignment: gives })
        }
      })
      answering.metadata = { ...answering.metadata, topicMetadata: [known] }
      const beatsWithin = (ms: number) =>
        Effect.gen(function*() {
          const before = beats
          yield* advance(ms)
          return beats - before
        })
      const waiting = yield* Effect.forkChild((yield* epochMembership(yield* memberOf(answering))).run)
      assert.isAbove(yield* beatsWithin(2_000), 10)
      assert.isAtMost(yield* beatsWithin(5_000), 6, "there may be more members than partitions")
      yield* Fiber.interrupt(waiting)

      const running = yield* Effect.forkChild((yield* epochMembership(yield* memberOf(answering))).run)
      yield* advance(500)
      gives = [{ topicId, partitions: [0] }]
      yield* advance(200)
      assert.deepStrictEqual(answering.assigned.at(-1), ["in-0"])
      assert.isAtMost(yield* beatsWithin(3_000), 2 * 4)
      yield* Fiber.interrupt(running)
    }))

  it.effect("tells all again after a heartbeat that nobody waited for", () =>
    Effect.gen(function*() {
      const requests: Array<ConsumerHeartbeat> = []
      let broker: "up" | "down" | "silent" = "up"
      const answering = new Answering({
        consumerGroupHeartbeat: (request) => {
          requests.push(request)
          if (broker === "down") return Promise.reject({ _tag: "Connection", cause: "refused" })
          if (broker === "silent") return new Promise(() => undefined)
          const isJoin = request.memberEpoch === 0
          return Promise.resolve({ ...answer, assignment: isJoin ? [{ topicId, partitions: [0] }] : undefined })
        }
      })
      answering.metadata = { ...answering.metadata, topicMetadata: [known] }
      const membership = yield* epochMembership(yield* memberOf(answering))
      const running = yield* Effect.forkChild(membership.run)
      yield* advance(500)
      broker = "down"
      const answered = requests.length
      for (let i = 0; i < 100 && requests.length === answered; i++) yield* advance(20)
      // As a drain does, which ends while its heartbeat is under way.
      broker = "silent"
      const beat = yield* Effect.forkChild(membership.heartbeat)
      yield* advance(20)
      assert.strictEqual(requests.length, answered + 2)
      yield* Fiber.interrupt(beat)
      broker = "up"
      yield* advance(200)
      assert.deepStrictEqual(requests[answered + 2]?.owned, [{ topicId, partitions: [0] }])
      yield* Fiber.interrupt(running)
    }))

  const newId = "00000000-0000-0000-0000-000000000002"
  const remade = { ...known, topicId: newId }

  it.effect("loses what it held of a topic that was made anew, and never passes it for the new one", () =>
    Effect.gen(function*() {
      const requests: Array<ConsumerHeartbeat> = []
      let hasHeard = false
      const answering = new Answering({
        consumerGroupHeartbeat: (request) => {
          requests.push(request)
          const assignment = request.memberEpoch === 0
            ? [{ topicId, partitions: [0] }]
            : hasHeard
            ? [{ topicId: newId, partitions: [0] }]
            : undefined
          return Promise.resolve({ ...answer, assignment })
        }
      })
      answering.metadata = { ...answering.metadata, topicMetadata: [known] }
      const membership = yield* epochMembership(yield* memberOf(answering))
      const running = yield* Effect.forkChild(membership.run)
      yield* advance(1_500)
      const identity = membership.identity()
      answering.metadata = { ...answering.metadata, topicMetadata: [remade] }
      const before = requests.length
      yield* advance(3_000)
      assert.deepStrictEqual(answering.lost, [["in-0"]])
      assert.notStrictEqual(membership.identity(), identity, "what ends late is not committed")
      const told = requests.slice(before).flatMap(({ owned }) => owned ?? [])
      assert.isTrue(told.every(({ topicId }) => topicId !== newId), "it has none of it")
      hasHeard = true
      yield* advance(3_000)
      assert.deepStrictEqual(answering.assigned.at(-1), ["in-0"])
      assert.deepStrictEqual(answering.lost, [["in-0"]])
      assert.deepStrictEqual(answering.drained, [])
      yield* Fiber.interrupt(running)
    }))

  it.effect("does not drain, and so does not commit, what it gives up of a topic that was made anew", () =>
    Effect.gen(function*() {
      let gives = [{ topicId, partitions: [0, 1] }]
      const answering = new Answering({
        consumerGroupHeartbeat: () => Promise.resolve({ ...answer, assignment: gives })
      })
      answering.metadata = { ...answering.metadata, topicMetadata: [known] }
      const membership = yield* epochMembership(yield* memberOf(answering))
      const running = yield* Effect.forkChild(membership.run)
      yield* advance(1_500)
      gives = [{ topicId, partitions: [0] }]
      yield* advance(1_500)
      assert.deepStrictEqual(answering.drained, [["in-1"]], "the topic is the same")
      // All of the new one is another member's.
      gives = []
      answering.refreshed = Effect.sync(() => {
        answering.metadata = { ...answering.metadata, topicMetadata: [remade] }
      })
      yield* advance(1_500)
      assert.deepStrictEqual(answering.lost, [["in-0"]])
      assert.deepStrictEqual(answering.drained, [["in-1"]])
      yield* Fiber.interrupt(running)
    }))
})

describe("a member that would rather speak the protocol of KIP-848", () => {
  const joinGroup = () => joinedAs(1)
  const classic = {
    joinGroup,
    syncGroup: () => Promise.resolve({ memberAssignment: Buffer.alloc(0) }),
    heartbeat: () => Promise.resolve(undefined)
  }
  const opened = Effect.fnUntraced(function*(broker: Partial<Broker>) {
    const answering = new Answering({ ...classic, ...broker })
    const adapted: Array<unknown> = []
    const options = yield* memberOf(answering)
    const handler = {
      ...options.handler,
      onAdapted: ({ instead, setting }: SettingWarning) => void adapted.push([setting, instead])
    }
    const membership = yield* preferredMembership({ ...options, handler })
    const running = yield* Effect.forkChild(membership.run)
    return { answering, adapted, membership, running }
  })

  it.effect("speaks the classic one where brokers do not have it, have it off, or keep the group as it is", () =>
    Effect.gen(function*() {
      const refusing = (code: number) => ({ consumerGroupHeartbeat: () => Promise.reject(protocolFailure(code)) })
      const unknown = { _tag: "Unsupported", feature: "ConsumerGroupHeartbeat", cause: undefined }
      const old = { consumerGroupHeartbeat: () => Promise.reject(unknown) }
      for (const broker of [old, refusing(codes.unsupportedVersion), refusing(codes.groupIdNotFound)]) {
        const { adapted, answering, membership, running } = yield* opened(broker)
        yield* advance(1_000)
        assert.strictEqual(adapted.length, 1)
        assert.match(String(adapted[0]), /^groupProtocol,classic: /)
        assert.deepStrictEqual(answering.assigned, [[]])
        assert.deepInclude(membership.identity(), { memberId: "m", generation: 1 })
        yield* Fiber.interrupt(running)
      }
    }))

  const taken = { memberEpoch: 1, heartbeatIntervalMs: 1_000, assignment: [] }

  it.effect("speaks the classic one where the group was converted back meanwhile, and is kept so", () =>
    Effect.gen(function*() {
      let joins = 0
      const { adapted, answering, membership, running } = yield* opened({
        consumerGroupHeartbeat: ({ memberEpoch }) =>
          memberEpoch === 0 && ++joins === 1
            ? Promise.resolve(taken)
            : Promise.reject(protocolFailure(codes.groupIdNotFound))
      })
      yield* advance(3_000)
      assert.strictEqual(joins, 2)
      assert.strictEqual(adapted.length, 1)
      assert.deepStrictEqual(answering.assigned, [[], []])
      assert.deepInclude(membership.identity(), { memberId: "m", generation: 1 })
      yield* Fiber.interrupt(running)
    }))

  it.effect("what ends a membership that it had in that protocol is no reason to leave it", () =>
    Effect.gen(function*() {
      const { adapted, running } = yield* opened({
        consumerGroupHeartbeat: ({ memberEpoch }) =>
          memberEpoch === 0 ? Promise.resolve(taken) : Promise.reject(protocolFailure(codes.unsupportedVersion))
      })
      yield* advance(3_000)
      const exit = yield* Fiber.await(running)
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(adapted, [])
    }))

  it.effect("joins nothing in the classic one once it leaves", () =>
    Effect.gen(function*() {
      const answer = Promise.withResolvers<never>()
      let joins = 0
      const { adapted, membership, running } = yield* opened({
        consumerGroupHeartbeat: () => answer.promise,
        joinGroup: () => {
          joins++
          return joinGroup()
        }
      })
      yield* advance(10)
      const leaving = yield* Effect.forkChild(membership.leave)
      yield* advance(10)
      answer.reject(protocolFailure(codes.unsupportedVersion))
      yield* advance(1_000)
      assert.deepStrictEqual([joins, adapted], [0, []])
      yield* Fiber.interruptAll([leaving, running])
    }))
})
