/**
 * Deterministic simulation: a seed draws members, handlers, changes and faults; the runtime as it is in production runs on
 * the in-memory cluster under virtual time; the contract is checked on what was recorded. The same seed is the same run.
 *
 * @since 0.1.0
 */
import { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import { fromRecords } from "@weft/kafka/FetchedBatch"
import { make as topicPartition } from "@weft/kafka/TopicPartition"
import type * as Transport from "@weft/kafka/Transport"
import * as DeadLetter from "@weft/pipeline/DeadLetter"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as TestClock from "effect/testing/TestClock"
import * as FaultPlan from "./FaultPlan.ts"
import { advance, between, choose } from "./internal/simulation/draws.ts"
import * as Members from "./internal/simulation/members.ts"
import * as Invariants from "./Invariants.ts"
import * as MemoryCluster from "./MemoryCluster.ts"

/**
 * What may go wrong.
 *
 * - `planned`: members come and go, settings change; then nothing may be processed twice.
 * - `crashes`: clients die, too; what a commit has told to be settled may not be processed again.
 * - `all`: also members that freeze or are expelled, brokers that are away, requests that fail or get lost.
 *
 * @category models
 * @since 0.1.0
 */
export type Faults = "planned" | "crashes" | "all"

/**
 * Who works: bare consumers with streams, or pipelines with handlers that fail and dead letters.
 *
 * @category models
 * @since 0.1.0
 */
export type Mode = "streams" | "pipelines"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly seed: string
  /** Default: drawn from the seed. */
  readonly mode?: Mode | undefined
  readonly faults?: Faults | undefined
  /** How many things happen. Default 12. */
  readonly steps?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly seed: string
  /** What happened, in order, in words. */
  readonly story: ReadonlyArray<string>
  readonly violations: ReadonlyArray<string>
  readonly records: number
  readonly duplicates: number
  readonly virtualMs: number
}

const group = "simulation"
const topic = "in"
/** What pipelines make of records that they cannot process. */
const deadLetters = `${topic}.dlq`

/**
 * Runs one schedule from its seed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const run = (options: Options): Effect.Effect<Report> =>
  simulate(options).pipe(
    Effect.provide(MemoryCluster.layerWith({ brokers: 3, offsetMetadataMaxBytes: metadataMaxBytesOf(options) })),
    Effect.scoped,
    Effect.provide(TestClock.layer()),
    Effect.provideService(References.MinimumLogLevel, "None"),
    Random.withSeed(options.seed)
  )

/**
 * In one schedule of four the brokers take little metadata. Then records that are done behind one that waits are repeated by a
 * planned change, too, so not where nothing may be.
 */
const metadataMaxBytesOf = ({ faults, seed }: Options): number =>
  faults !== "planned" && [...seed].reduce((sum, character) => sum + character.charCodeAt(0), 0) % 4 === 0 ? 40 : 4_096

const simulate = Effect.fnUntraced(function*({ faults = "all", mode, seed, steps = 12 }: Options) {
  const cluster = yield* MemoryCluster.MemoryCluster
  const partitions = yield* between(1, 6)
  const slowest = yield* between(5, 400)
  const maxPollRecords = yield* between(1, 30)
  const queueMaxRecords = yield* between(1, 200)
  // Small enough for a backlog of many fetches.
  const maxPartitionFetchBytes = yield* between(200, 4_000)
  const enableAutoCommit = (yield* between(0, 3)) === 0
  const autoCommitIntervalMs = yield* between(200, 5_000)
  // Only what comes after the group has begun is promised then.
  const autoOffsetReset = (yield* between(0, 5)) === 0 ? "latest" : "earliest"
  const stallPolicy = yield* Random.choice(["report", "halt"] as const)
  const story: Array<string> = []
  const processed: Array<Members.Attempt> = []
  const overfull: Array<string> = []
  const members: Array<Members.Member> = []
  const turns = Semaphore.makeUnsafe(1)
  const rejoinTurn = Effect.asVoid(Effect.acquireRelease(turns.take(1), () => turns.release(1)))
  let appended = 0
  let joined = 0
  yield* cluster.createTopic(topic, { partitions, replicationFactor: 3 })
  yield* cluster.createTopic(deadLetters, { partitions, replicationFactor: 3 })
  const crew = yield* Members[mode ?? (yield* Random.choice(["streams", "pipelines"] as const))]({
    topic,
    slowest,
    getStuck: faults === "all",
    report: (attempt) => processed.push(attempt)
  })

  const settings = (overrides: Partial<ConsumerSettings.ConsumerSettings> = {}) =>
    ConsumerSettings.make({
      groupId: group,
      maxPollRecords,
      sessionTimeoutMs: 10_000,
      heartbeatIntervalMs: 1_000,
      maxPollIntervalMs: 60_000,
      fetchMaxWaitMs: 100,
      queueMaxRecords,
      maxPartitionFetchBytes,
      enableAutoCommit,
      autoCommitIntervalMs,
      autoOffsetReset,
      stallPolicy,
      ...overrides
    })

  const produce = Effect.fnUntraced(function*() {
    const count = yield* between(1, 120)
    for (let i = 0; i < count; i++) {
      const partition = yield* between(0, partitions)
      const key = yield* Random.choice([null, "a", "b", "c", "d"] as const)
      yield* Effect.orDie(cluster.append(topic, [{ partition, key, value: String(appended++) }]))
    }
    return `${count} records`
  })

  const join = Effect.fnUntraced(function*() {
    const name = `member-${joined++}`
    // A pipeline asks the brokers first, and the clock has to move on for their answer.
    yield* crew.start(name, settings({ clientId: name }), rejoinTurn).pipe(
      Effect.tap((member) => Effect.forkIn(resumeHalted(member), member.scope)),
      Effect.map((member) => members.push(member)),
      Effect.forkDetach
    )
    return name
  })

  /** A person who looks after what a stall has halted. */
  const resumeHalted = ({ consumer }: Members.Member) =>
    Stream.runForEach(consumer.events, (event) =>
      event._tag === "Stalled"
        ? Effect.forkChild(
          Effect.andThen(Effect.sleep(5_000), consumer.resume([topicPartition(event.topic, event.partition)]))
        )
        : Effect.void)

  const leave = Effect.fnUntraced(function*() {
    const [member] = members.splice(yield* between(0, members.length), 1)
    yield* Effect.forkDetach(Scope.close(member!.scope, Exit.void))
    return member!.name
  })

  const fault = (plan: FaultPlan.FaultPlan, what: string) => Effect.as(cluster.apply(plan), what)
  const target = Effect.map(between(0, Math.max(1, members.length)), (index) => ({ groupId: group, index }))
  const someone = <E, R>(f: (member: Members.Member) => Effect.Effect<string, E, R>) =>
    Effect.flatMap(
      between(0, Math.max(1, members.length)),
      (index) => members[index] === undefined ? Effect.succeed("nobody: none is there") : f(members[index])
    )

  type Actions = ReadonlyArray<
    readonly [name: string, weight: number, action: Effect.Effect<string, never, Transport.Transport>]
  >
  const planned: Actions = [
    ["produce", 3, produce()],
    ["join", 2, Effect.suspend(() => members.length < 5 ? join() : Effect.succeed("nobody: five are enough"))],
    ["leave", 2, Effect.suspend(() => members.length > 1 ? leave() : Effect.succeed("nobody: one is left"))],
    [
      "reconfigure",
      1,
      someone(Effect.fnUntraced(function*({ consumer, name }) {
        const sessionTimeoutMs = 10_000 + 100 * (yield* between(0, 50))
        yield* consumer.reconfigure(settings({ clientId: name, sessionTimeoutMs }))
        return `${name} rejoins with a session of ${sessionTimeoutMs} ms`
      }))
    ],
    [
      "tune",
      1,
      someone(Effect.fnUntraced(function*({ name, tune }) {
        const concurrency = yield* between(1, 12)
        yield* tune(concurrency)
        return `${name} to ${concurrency} at the same time`
      }))
    ],
    [
      "pause",
      1,
      someone(Effect.fnUntraced(function*({ consumer, name }) {
        const held = yield* SubscriptionRef.get(consumer.assignment)
        yield* consumer.pause(held)
        yield* Effect.forkDetach(Effect.andThen(Effect.sleep(2_000), consumer.resume(held)))
        return `${name} pauses ${held.join()} for 2 s`
      }))
    ],
    [
      "dead letters",
      1,
      Effect.flatMap(
        between(1, 20),
        (times) => fault(FaultPlan.fail("produce", "INVALID_REQUIRED_ACKS", { times }), `are refused ${times} times`)
      )
    ],
    [
      "compaction",
      1,
      Effect.gen(function*() {
        const partition = yield* between(0, partitions)
        const { begin, end } = yield* Effect.orDie(cluster.bounds(topic, partition))
        const gone: Array<bigint> = []
        for (let offset = begin; offset < end; offset++) if ((yield* between(0, 4)) === 0) gone.push(offset)
        yield* Effect.orDie(cluster.removeRecords(topic, partition, gone))
        return `of ${gone.length} records of partition ${partition}`
      })
    ]
  ]
  const retention: Actions = autoOffsetReset === "latest" ? [] : [[
    "retention",
    1,
    Effect.gen(function*() {
      const partition = yield* between(0, partitions)
      const { begin, end } = yield* Effect.orDie(cluster.bounds(topic, partition))
      const before = begin + BigInt(yield* between(0, Number(end - begin) + 1))
      yield* Effect.orDie(cluster.deleteRecords(topic, partition, before))
      return `of partition ${partition} before ${before}`
    })
  ]]
  const crashes: Actions = [
    ["crash", 2, Effect.flatMap(target, (one) => fault(FaultPlan.crash(one), `client ${one.index}`))]
  ]
  const hard: Actions = [
    ["expire", 1, Effect.flatMap(target, (one) => fault(FaultPlan.expireSession(one), `session ${one.index}`))],
    [
      "freeze",
      1,
      Effect.gen(function*() {
        const one = yield* target
        const ms = yield* between(100, 30_000)
        return yield* fault(FaultPlan.freeze(one, ms), `client ${one.index} for ${ms} ms`)
      })
    ],
    [
      "seek",
      1,
      someone(Effect.fnUntraced(function*({ consumer, name }) {
        const held = (yield* consumer.snapshot).filter(({ state }) => state === "active")
        for (const { partition, watermark } of held) {
          yield* Effect.forkDetach(Effect.ignore(consumer.seek(topicPartition(topic, partition), watermark)))
        }
        return `${name} goes back to the first record of each partition that is not settled`
      }))
    ],
    ["coordinator", 1, fault(FaultPlan.coordinatorMove(group, 500), "moves")],
    [
      "leader",
      1,
      Effect.flatMap(
        between(0, partitions),
        (partition) => fault(FaultPlan.leaderChange(topic, partition), `of partition ${partition}`)
      )
    ],
    [
      "broker",
      1,
      Effect.flatMap(between(0, 3), (broker) => fault(FaultPlan.brokerAway(broker, "4 seconds"), `${broker} is away`))
    ],
    [
      "requests",
      2,
      Effect.gen(function*() {
        const kind = yield* Random.choice(
          ["commit", "heartbeat", "join", "fetch", "offsetFetch", "sync", "produce", "listOffsets"] as const
        )
        const times = yield* between(1, 4)
        const how = yield* Random.choice(["fail", "lose", "loseAnswer", "delay"] as const)
        const plans = {
          fail: () => FaultPlan.fail(kind, "COORDINATOR_NOT_AVAILABLE", { times }),
          lose: () => FaultPlan.lose(kind, { times }),
          loseAnswer: () => FaultPlan.loseAnswer(kind, { times }),
          delay: () => FaultPlan.delay(kind, "3 seconds", { times })
        }
        const plan = plans[how]()
        return yield* fault(plan, `${how} ${times} ${kind}`)
      })
    ]
  ]
  const actions = faults === "planned"
    ? [...planned, ...retention]
    : faults === "crashes"
    ? [...planned, ...retention, ...crashes]
    : [...planned, ...retention, ...crashes, ...hard]

  /** Nobody holds more than the formula of the settings allows. */
  const lookAtMemory = Effect.gen(function*() {
    for (const { consumer, held, name } of members) {
      const { atMost, records } = yield* held
      if (records > atMost) overfull.push(`memory: ${name} holds ${records} records, at most ${atMost} may be`)
      for (const { partition, queuedRecords } of yield* consumer.snapshot) {
        const most = queueMaxRecords + overshoot(maxPartitionFetchBytes)
        if (queuedRecords > most) overfull.push(`memory: ${name} queues ${queuedRecords} of ${partition}, not ${most}`)
      }
    }
  })

  story.push(
    `${partitions} partitions, ${crew.description}, handlers up to ${slowest} ms, faults: ${faults}, ` +
      `reset ${autoOffsetReset}, stall ${stallPolicy}, metadata of up to ${
        metadataMaxBytesOf({ faults, seed })
      } bytes` +
      (enableAutoCommit ? `, commits every ${autoCommitIntervalMs} ms` : "")
  )
  if (autoOffsetReset === "earliest") yield* produce()
  yield* join()
  for (let waited = 0; waited < 30_000; waited += 250) {
    if (autoOffsetReset === "earliest" || (yield* cluster.committed(group)).length === partitions) break
    yield* advance(250)
  }
  for (let i = 0; i < steps; i++) {
    const [name, , action] = yield* choose(actions)
    const what = yield* action
    story.push(`${yield* Clock.currentTimeMillis}: ${name} ${what}`)
    yield* advance(yield* between(1, 8_000))
    yield* lookAtMemory
  }
  yield* cluster.clearFaults
  story.push(`${yield* Clock.currentTimeMillis}: quiet`)

  const log = (yield* Effect.orDie(cluster.records(topic))).map(({ offset, partition }) => ({
    topic,
    partition,
    offset
  }))
  const ends = yield* Effect.forEach(
    Array.from({ length: partitions }, (_, partition) => partition),
    (partition) =>
      Effect.map(Effect.orDie(cluster.bounds(topic, partition)), ({ begin, end }) => ({ topic, partition, begin, end }))
  )
  // Liveness: an hour without a fault is enough for whatever was left behind.
  let open: ReadonlyArray<string> = []
  for (let waited = 0; waited < 3_600_000; waited += 5_000) {
    open = Invariants.allCommitted(ends, yield* cluster.committed(group))
    if (open.length === 0) break
    yield* advance(5_000)
  }
  for (const { scope } of members) yield* Effect.forkDetach(Scope.close(scope, Exit.void))
  yield* advance(120_000, 5_000)

  const commits = yield* cluster.commits(group)
  // A record that is a dead letter is done when the dead letter was written.
  for (const letter of yield* Effect.orDie(cluster.records(deadLetters))) {
    const record = new ConsumerRecord(fromRecords({ ...letter, records: [letter], highWatermark: 0n }), 0)
    const info = DeadLetter.read(record)
    if (info === undefined) continue
    const { offset, partition } = info
    const key = record.key === null ? undefined : Buffer.from(record.key).toString()
    const [startedAt, endedAt] = [letter.timestamp, letter.timestamp]
    processed.push({ member: deadLetters, topic, partition, offset, key, startedAt, endedAt, settled: true })
  }
  const duplicates = Invariants.duplicates(processed)
  const report: Report = {
    seed,
    story,
    records: log.length,
    duplicates,
    virtualMs: yield* Clock.currentTimeMillis,
    violations: [
      ...Invariants.nothingLost(log, processed),
      ...Invariants.commitsFollowProcessing(log, processed, commits),
      ...Invariants.commitsNeverGoBack(commits),
      ...Invariants.oneOwnerCommits(commits),
      ...Invariants.committedStays(processed, commits, longestZombieMs),
      ...(faults !== "all" ? Invariants.committedIsNotRepeated(processed, commits) : []),
      ...(faults === "planned" ? Invariants.orderPerPartition(inOrder(crew.order, processed)) : []),
      ...overfull,
      ...open,
      ...(faults === "planned" && duplicates > 0 ? [`${duplicates} duplicates after planned changes`] : [])
    ]
  }
  return report
})

/** A freeze, the session after it, and what a member still has in hand. */
const longestZombieMs = 90_000

/** What keeps an order, as if each key had a partition of its own. */
const inOrder = (
  order: Members.Crew["order"],
  processed: ReadonlyArray<Members.Attempt>
): ReadonlyArray<Invariants.Processing> => {
  switch (order) {
    case "partition":
      return processed
    case "key":
      return processed.flatMap((one) => one.key === undefined ? [] : [{ ...one, topic: `${one.topic} ${one.key} ` }])
    case "none":
      return []
  }
}

/** No record takes less on the wire. */
const smallestRecord = 10

/** What a fetch that was under way may bring beyond a full queue: twice, as a seek begins another one. */
const overshoot = (fetchBytes: number): number => 2 * Math.ceil(fetchBytes / smallestRecord)
