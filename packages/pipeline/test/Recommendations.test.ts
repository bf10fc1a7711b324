/**
 * Each rule sees the situation that it is made for, made on purpose with a pipeline that runs on the in-memory cluster, and
 * is silent where all is well. Where it recommends settings they are applied, and the symptom ends.
 */
import { assert, describe, it } from "@effect/vitest"
import * as ConfigRows from "@weft/config/ConfigRows"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Codec from "@weft/kafka/Codec"
import type { UnknownTopicError } from "@weft/kafka/KafkaError"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as EventLoopDelay from "../src/EventLoopDelay.ts"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as Pipeline from "../src/Pipeline.ts"
import * as Recommendation from "../src/Recommendation.ts"
import * as RecommendationEvidence from "../src/RecommendationEvidence.ts"
import * as RecommendationRules from "../src/RecommendationRules.ts"
import { advance, type Cluster, start } from "./fixtures.ts"

const service = "s"
const intervalMs = 2_000
const row = {
  consumer_group_id: "group",
  heartbeat_interval_ms: 2_000,
  fetch_max_wait_ms: 50,
  metrics_interval_ms: intervalMs
}

interface Situation {
  readonly partitions?: number
  readonly members?: number
  readonly row?: ConfigRows.Columns
  /** Milliseconds for which the event loop stands still at the worst. */
  readonly pause?: number
  readonly pipeline: () => Pipeline.Pipeline<never>
  /** What happens meanwhile: called at each step of 50 ms with the number of the step. */
  readonly feed: (cluster: Cluster, step: number) => Effect.Effect<unknown, UnknownTopicError>
  readonly seconds: number
}

interface Outcome extends Recommendation.Evaluation {
  readonly evidence: RecommendationEvidence.Evidence
  readonly named: (rule: string) => Recommendation.Recommendation | undefined
}

const stepMs = 50
const perSecond = 1_000 / stepMs

/** Runs a situation, evaluates what was measured, and once more after what `apply` recommends was applied. */
const watch = (situation: Situation, apply?: string) => {
  const written: Array<MetricsSink.Measurements> = []
  const sink = Layer.succeed(MetricsSink.MetricsSink, {
    write: (measurements) => Effect.sync(() => void written.push(measurements))
  })
  const measured = (): MetricsSink.Measurements => ({
    metrics: written.flatMap(({ metrics }) => metrics),
    members: written.flatMap(({ members }) => members),
    lag: written.flatMap(({ lag }) => lag)
  })
  return Effect.gen(function*() {
    const cluster = yield* MemoryCluster.MemoryCluster
    const rows = yield* ConfigRows.ConfigRows
    yield* cluster.createTopic("in", { partitions: situation.partitions ?? 1 })
    const members = yield* Effect.forEach(
      Array.from({ length: situation.members ?? 1 }),
      () => start(situation.pipeline())
    )
    let step = 0
    const run = Effect.gen(function*() {
      for (let i = 0; i < situation.seconds * perSecond; i++) {
        yield* situation.feed(cluster, step++)
        yield* advance(stepMs, stepMs)
      }
    })
    const look = Effect.fnUntraced(function*(since?: number) {
      const columns = (yield* SubscriptionRef.get(rows.rows)).get(service)!
      const judged = Recommendation.subject({ service, row: columns })
      assert.deepStrictEqual((yield* members[0]!.running.configuration).config, judged.current.config)
      const evidence = RecommendationEvidence.make(service, measured(), { since })!
      const evaluation = Recommendation.evaluate(evidence, judged)
      const named = (rule: string) => evaluation.recommendations.find((one) => one.rule === rule)
      return { ...evaluation, evidence, named } satisfies Outcome
    })
    yield* run
    const before = yield* look()
    if (apply === undefined) return { before, after: before }
    const changes = before.named(apply)?.recommendedConfig
    assert.isDefined(changes, `${apply} fires: ${JSON.stringify(before)}`)
    yield* rows.set(service, { ...row, ...situation.row, ...changes })
    yield* advance(1_000, stepMs)
    const since = yield* Clock.currentTimeMillis
    yield* run
    return { before, after: yield* look(since) }
  }).pipe(
    Effect.scoped,
    Effect.provide([
      MemoryCluster.layer,
      ConfigStore.layerMemory({ [service]: { ...row, ...situation.row } }),
      sink,
      EventLoopDelay.layerTest(Effect.succeed(situation.pause ?? 5))
    ])
  )
}

const common = { service, topics: ["in"], key: Codec.string, value: Codec.string, drainTimeout: "1 second" } as const

/** A handler that takes `ms` for each record. */
const each = (ms: number) => () => Pipeline.make({ ...common, process: () => Effect.sleep(ms) })

/** A handler of batches that costs `fixed` milliseconds, and `each` for each record. */
const batches = (fixed: number, each = 0) => () =>
  Pipeline.make({ ...common, processBatch: (records) => Effect.sleep(fixed + each * records.length) })

const records = (count: number, at: (i: number) => MemoryCluster.RecordInput) =>
  Array.from({ length: count }, (_, i) => at(i))

/** So many records a second, spread over partitions and keys. */
const steady = (rate: number, partitions = 1, value = "v"): Situation["feed"] => (cluster, step) => {
  const due = Math.floor((step + 1) * rate / perSecond) - Math.floor(step * rate / perSecond)
  const from = Math.floor(step * rate / perSecond)
  return cluster.append(
    "in",
    records(due, (i) => ({ partition: (from + i) % partitions, key: `k${(from + i) % 101}`, value }))
  )
}

const situations = new Set<string>()

const fires = (
  rule: string,
  wrong: Situation,
  options: {
    readonly healthy: Situation
    readonly recommends?: Recommendation.Configuration
    readonly action?: RegExp
    /** Apply what is recommended, and see the symptom end. */
    readonly cured?: boolean
  }
) =>
  describe(`the rule ${rule}`, () => {
    situations.add(rule)
    it.effect("sees it, and what it recommends ends it", () =>
      Effect.gen(function*() {
        const { after, before } = yield* watch(wrong, options.cured === true ? rule : undefined)
        const found = before.named(rule)
        if (found === undefined) return assert.fail(JSON.stringify(before, undefined, 1))
        if (options.recommends !== undefined) assert.deepStrictEqual(found.recommendedConfig, options.recommends)
        if (options.action !== undefined) assert.match(found.action ?? "", options.action)
        assert.isAbove(found.confidence, 0.4)
        assert.isAtMost(found.confidence, 1)
        assert.strictEqual(found.service, service)
        if (options.cured === true) {
          assert.notInclude(after.undecided, rule)
          assert.isUndefined(after.named(rule), JSON.stringify(after, undefined, 1))
        }
      }))

    it.effect("is silent where all is well", () =>
      Effect.gen(function*() {
        const { before } = yield* watch(options.healthy)
        assert.notInclude(before.undecided, rule)
        assert.isUndefined(before.named(rule), JSON.stringify(before, undefined, 1))
      }))
  })

const well: Situation = { partitions: 4, pipeline: each(2), feed: steady(200, 4), seconds: 12 }

describe("recommendations", () => {
  fires("session-shorter-than-pauses", { ...well, row: { session_timeout_ms: 10_000 }, pause: 7_000 }, {
    recommends: { session_timeout_ms: 27_000 },
    healthy: { ...well, row: { session_timeout_ms: 10_000 }, pause: 300 },
    cured: true
  })

  fires("frequent-rebalancing", {
    ...well,
    members: 2,
    row: { session_timeout_ms: 6_000, max_poll_interval_ms: 6_000 },
    feed: (cluster, step) =>
      // Both stand still for longer than the session that there was at first.
      Effect.andThen(
        steady(200, 4)(cluster, step),
        step % 120 === 60 && step < 240
          ? cluster.expireSession({ index: 0 })
          : Effect.void
      )
  }, {
    recommends: { session_timeout_ms: 12_000, max_poll_interval_ms: 60_000 },
    healthy: { ...well, members: 3 },
    cured: true
  })

  fires("timing-out", {
    ...well,
    partitions: 1,
    row: { session_timeout_ms: 6_000, max_poll_interval_ms: 6_000 },
    pipeline: each(9_000),
    feed: steady(1),
    seconds: 20
  }, { healthy: well, cured: true })

  fires("high-memory", {
    partitions: 8,
    row: { max_partition_fetch_bytes: 8_388_608 },
    pipeline: each(2_000),
    feed: (cluster, step) =>
      step % 160 < 40
        ? cluster.append("in", records(8, (partition) => ({ partition, key: "k", value: large })))
        : Effect.void,
    seconds: 8
  }, { healthy: { ...well, row: { max_partition_fetch_bytes: 8_388_608 } }, cured: true })

  fires("oversized-fetches", {
    partitions: 1,
    row: { max_partition_fetch_bytes: 16_777_216 },
    pipeline: each(1_000),
    feed: (cluster, step) =>
      step < 100
        ? cluster.append("in", records(4, () => ({ key: "k", value: large.slice(0, 65_536) })))
        : Effect.void,
    seconds: 10
  }, {
    recommends: { max_partition_fetch_bytes: 1_048_576 },
    healthy: { ...well, row: { max_partition_fetch_bytes: 16_777_216 } }
  })

  fires("retry-storm", {
    ...well,
    row: { retry_backoff_ms: 10 },
    pipeline: () =>
      Pipeline.make({ ...common, process: (record) => record.attempt < 4 ? Effect.fail("away") : Effect.void })
  }, { recommends: { retry_backoff_ms: 1_000 }, healthy: well })

  fires("poison-pills", {
    ...well,
    pipeline: () =>
      Pipeline.make({ ...common, value: Codec.json(Schema.Struct({ id: Schema.Finite })), process: () => Effect.void }),
    feed: (cluster, step) =>
      cluster.append("in", records(5, (i) => ({ partition: i % 4, key: "k", value: i === 0 ? "{" : "{\"id\":1}" })))
        .pipe(Effect.as(step))
  }, { action: /weft dlq/, healthy: well })

  fires("commit-interval-too-long", {
    ...well,
    row: { enable_auto_commit: true, auto_commit_interval_ms: 60_000 }
  }, { healthy: { ...well, row: { enable_auto_commit: true } }, cured: true })

  fires("hot-key", {
    ...well,
    row: { processing_order: "key" },
    pipeline: each(20),
    feed: (cluster, step) =>
      cluster.append(
        "in",
        records(20, (i) => ({ partition: i < 10 ? 0 : i % 4, key: i < 10 ? "hot" : `k${step}${i}`, value: "v" }))
      )
  }, {
    action: /different keys/,
    healthy: { ...well, row: { processing_order: "key" }, pipeline: each(20) }
  })

  fires("hot-partition", {
    ...well,
    pipeline: each(20),
    feed: (cluster, step) =>
      cluster.append(
        "in",
        records(12, (i) => ({ partition: i < 9 ? 0 : i % 4, key: `k${(step * 12 + i) % 101}`, value: "v" }))
      )
  }, { recommends: { processing_order: "key" }, healthy: { ...well, pipeline: each(10) }, cured: true })

  fires("database-bound", {
    ...well,
    row: { processing_order: "none" },
    pipeline: () => {
      const pool = Semaphore.makeUnsafe(4)
      return Pipeline.make({ ...common, process: () => pool.withPermits(1)(Effect.sleep(20)) })
    },
    // Nearly as many as the pool can take, and then far more.
    feed: (cluster, step) => steady(step < 6 * perSecond ? 160 : 600, 4)(cluster, step)
  }, {
    recommends: { concurrency: 8 },
    healthy: {
      ...well,
      row: { processing_order: "none" },
      pipeline: each(20),
      feed: (cluster, step) => steady(step < 6 * perSecond ? 160 : 600, 4)(cluster, step)
    }
  })

  fires("more-members-than-partitions", { ...well, partitions: 2, members: 3, feed: steady(100, 2) }, {
    action: /run 2 replicas/,
    healthy: { ...well, members: 3 }
  })

  describe("growing-lag, by its evidence", () => {
    fires("growing-lag", {
      ...well,
      row: { max_poll_records: 20 },
      pipeline: batches(100, 0.1),
      feed: steady(1_600, 4)
    }, { recommends: { max_poll_records: 100 }, healthy: well, cured: true })

    it.effect("handlers that wait: key parallelism, then more workers", () =>
      Effect.gen(function*() {
        const waiting: Situation = { ...well, pipeline: each(20), feed: steady(600, 4) }
        const { before } = yield* watch(waiting)
        assert.deepStrictEqual(before.named("growing-lag")?.recommendedConfig, { processing_order: "key" })
        const more = yield* watch(
          { ...waiting, row: { processing_order: "key" }, feed: steady(2_000, 4) },
          "growing-lag"
        )
        assert.deepStrictEqual(more.before.named("growing-lag")?.recommendedConfig, { concurrency: 32 })
      }))

    it.effect("small batches that are busy all the time: they fill by themselves while workers are busy", () =>
      Effect.gen(function*() {
        const { before } = yield* watch({ ...well, row: { max_poll_records: 1_000 }, pipeline: batches(200) })
        assert.isUndefined(before.named("growing-lag"))
      }))

    it.effect("handlers that compute: replicas, no setting", () =>
      Effect.gen(function*() {
        const { before } = yield* watch({ ...well, pipeline: each(20), feed: steady(600, 4), pause: 400 })
        const found = before.named("growing-lag")
        assert.deepStrictEqual(found?.recommendedConfig, {})
        assert.match(found?.action ?? "", /add members, up to the 4 partitions/)
      }))
  })

  fires("batches-always-full", {
    ...well,
    row: { max_poll_records: 20 },
    pipeline: batches(100),
    feed: (cluster, step) => step === 0 ? steady(40_000, 4)(cluster, 0) : steady(800, 4)(cluster, step)
  }, {
    recommends: { max_poll_records: 40 },
    healthy: { ...well, row: { max_poll_records: 20 }, pipeline: batches(10) },
    cured: true
  })

  fires("batches-never-full", { ...well, row: { max_poll_records: 1_000 }, pipeline: batches(2) }, {
    recommends: { max_poll_records: 100 },
    healthy: { ...well, row: { max_poll_records: 20 }, pipeline: batches(2) },
    cured: true
  })

  it.effect("batches-never-full: busy with small batches, it has the broker collect more", () =>
    Effect.gen(function*() {
      const { before } = yield* watch({ ...well, row: { max_poll_records: 1_000 }, pipeline: batches(50) })
      assert.deepStrictEqual(Object.keys(before.named("batches-never-full")?.recommendedConfig ?? {}), [
        "fetch_min_bytes"
      ])
    }))

  fires("poll-interval-too-short", {
    ...well,
    row: { session_timeout_ms: 6_000, max_poll_interval_ms: 10_000 },
    pipeline: each(4_000),
    feed: steady(2, 4),
    seconds: 40
  }, {
    recommends: { max_poll_interval_ms: 21_000 },
    healthy: { ...well, row: { session_timeout_ms: 6_000, max_poll_interval_ms: 10_000 } },
    cured: true
  })

  fires("poll-interval-too-long", { ...well, row: { max_poll_interval_ms: 3_600_000 }, seconds: 16 }, {
    recommends: { max_poll_interval_ms: 300_000 },
    healthy: well,
    cured: true
  })

  it.effect("a healthy service is recommended nothing", () =>
    Effect.gen(function*() {
      const { before } = yield* watch(well)
      assert.deepStrictEqual(before.recommendations, [])
      assert.deepStrictEqual(before.undecided, [])
    }))
})

const large = "x".repeat(400_000)

it("every rule has a situation above", () => {
  assert.deepStrictEqual([...situations].toSorted(), RecommendationRules.rules.map(({ name }) => name).toSorted())
})
