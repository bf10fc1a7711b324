/**
 * Deterministic simulation: a seed draws members, handlers, changes and faults; the runtime as it is in production runs on
 * the in-memory cluster under virtual time; the contract is checked on what was recorded. The same seed is the same run.
 *
 * @since 0.1.0
 */
import * as Consumer from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as Subscription from "@weft/kafka/Subscription"
import type * as Transport from "@weft/kafka/Transport"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as TestClock from "effect/testing/TestClock"
import * as FaultPlan from "./FaultPlan.ts"
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
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly seed: string
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

interface Member {
  readonly name: string
  readonly consumer: Consumer.Consumer["Service"]
  readonly scope: Scope.Closeable
}

const group = "simulation"
const topic = "in"

/**
 * Runs one schedule from its seed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const run = (options: Options): Effect.Effect<Report> =>
  simulate(options).pipe(
    Effect.provide(MemoryCluster.layerWith({ brokers: 3 })),
    Effect.scoped,
    Effect.provide(TestClock.layer()),
    Effect.provideService(References.MinimumLogLevel, "None"),
    Random.withSeed(options.seed)
  )

const simulate = Effect.fnUntraced(function*({ faults = "all", seed, steps = 12 }: Options) {
  const cluster = yield* MemoryCluster.MemoryCluster
  const partitions = yield* between(1, 6)
  const slowest = yield* between(5, 400)
  const maxPollRecords = yield* between(1, 30)
  const reading = yield* Random.choice(["merged", "partitions", "unordered"] as const)
  const queueMaxRecords = yield* between(1, 200)
  // Small enough for a backlog of many fetches.
  const maxPartitionFetchBytes = yield* between(200, 4_000)
  const story: Array<string> = []
  const processed: Array<Invariants.Processing> = []
  const members: Array<Member> = []
  let appended = 0
  let joined = 0
  yield* cluster.createTopic(topic, { partitions, replicationFactor: 3 })

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
      ...overrides
    })

  const produce = Effect.fnUntraced(function*() {
    const count = yield* between(1, 120)
    for (let i = 0; i < count; i++) {
      const partition = yield* between(0, partitions)
      yield* Effect.orDie(cluster.append(topic, [{ partition, value: String(appended++) }]))
    }
    return `${count} records`
  })

  /** Uneven latency: even one hides what a position committed too early would lose. */
  const process = (member: string) => (batch: Consumer.CommittableRecord<Uint8Array, Uint8Array>) =>
    Effect.gen(function*() {
      const { offset, partition } = batch.record
      const startedAt = yield* Clock.currentTimeMillis
      yield* Effect.sleep(yield* between(0, slowest))
      const endedAt = yield* Clock.currentTimeMillis
      const settled = batch.offset.settle()
      processed.push({ member, topic, partition, offset, startedAt, endedAt, settled })
    })

  const join = Effect.fnUntraced(function*() {
    const name = `member-${joined++}`
    const scope = yield* Scope.make()
    const consumer = yield* Consumer.make({
      subscription: Subscription.topics(topic),
      settings: settings({ clientId: name })
    }).pipe(Scope.provide(scope))
    const records = reading === "partitions"
      ? Stream.flatMap(
        consumer.partitionedStream(),
        ([, records]) => Stream.mapEffect(records, process(name)),
        { concurrency: "unbounded" }
      )
      : Stream.mapEffect(
        consumer.stream(),
        process(name),
        reading === "unordered" ? { concurrency: 8, unordered: true } : undefined
      )
    yield* Effect.forkIn(Effect.ignore(Stream.runDrain(records)), scope)
    members.push({ name, scope, consumer })
    return name
  })

  const leave = Effect.fnUntraced(function*() {
    const [member] = members.splice(yield* between(0, members.length), 1)
    yield* Effect.forkDetach(Scope.close(member!.scope, Exit.void))
    return member!.name
  })

  const fault = (plan: FaultPlan.FaultPlan, what: string) => Effect.as(cluster.apply(plan), what)
  const target = Effect.map(between(0, Math.max(1, members.length)), (index) => ({ groupId: group, index }))

  const planned: ReadonlyArray<
    readonly [name: string, weight: number, action: Effect.Effect<string, never, Transport.Transport>]
  > = [
    ["produce", 3, produce()],
    ["join", 2, Effect.suspend(() => members.length < 5 ? join() : Effect.succeed("nobody: five are enough"))],
    ["leave", 2, Effect.suspend(() => members.length > 1 ? leave() : Effect.succeed("nobody: one is left"))],
    [
      "reconfigure",
      1,
      Effect.gen(function*() {
        const member = members[yield* between(0, members.length)]!
        const sessionTimeoutMs = 10_000 + 100 * (yield* between(0, 50))
        yield* member.consumer.reconfigure(settings({ clientId: member.name, sessionTimeoutMs }))
        return `${member.name} rejoins with a session of ${sessionTimeoutMs} ms`
      })
    ],
    [
      "pause",
      1,
      Effect.gen(function*() {
        const member = members[yield* between(0, members.length)]!
        const held = yield* SubscriptionRef.get(member.consumer.assignment)
        yield* member.consumer.pause(held)
        yield* Effect.forkDetach(Effect.andThen(Effect.sleep(2_000), member.consumer.resume(held)))
        return `${member.name} pauses ${held.join()} for 2 s`
      })
    ]
  ]
  const crashes: typeof planned = [
    ["crash", 2, Effect.flatMap(target, (one) => fault(FaultPlan.crash(one), `client ${one.index}`))]
  ]
  const hard: typeof planned = [
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
        const kind = yield* Random.choice(["commit", "heartbeat", "join", "fetch", "offsetFetch", "sync"] as const)
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
    ? planned
    : faults === "crashes"
    ? [...planned, ...crashes]
    : [...planned, ...crashes, ...hard]

  story.push(`${partitions} partitions, ${reading}, handlers up to ${slowest} ms, faults: ${faults}`)
  yield* produce()
  yield* join()
  for (let i = 0; i < steps; i++) {
    const [name, , action] = yield* choose(actions)
    const what = yield* action
    story.push(`${yield* Clock.currentTimeMillis}: ${name} ${what}`)
    yield* advance(yield* between(1, 8_000))
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
    (partition) => Effect.map(Effect.orDie(cluster.bounds(topic, partition)), ({ end }) => ({ topic, partition, end }))
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
      ...(faults !== "all" ? Invariants.committedIsNotRepeated(processed, commits) : []),
      ...(faults === "planned" && reading !== "unordered" ? Invariants.orderPerPartition(processed) : []),
      ...open,
      ...(faults === "planned" && duplicates > 0 ? [`${duplicates} duplicates after planned changes`] : [])
    ]
  }
  return report
})

const choose = Effect.fnUntraced(
  function*<A extends readonly [string, number, ...ReadonlyArray<unknown>]>(all: ReadonlyArray<A>) {
    let left = yield* between(0, all.reduce((sum, [, weight]) => sum + weight, 0))
    return all.find(([, weight]) => (left -= weight) < 0) ?? all[0]!
  }
)

/** From `min` to below `max`. */
const between = (min: number, max: number): Effect.Effect<number> => Random.nextIntBetween(min, max, { halfOpen: true })

/** Small steps, so that what happens in between happens in its order. */
const advance = (ms: number, step = 250) =>
  Effect.gen(function*() {
    for (let at = 0; at < ms; at += step) yield* TestClock.adjust(Math.min(step, ms - at))
  })
