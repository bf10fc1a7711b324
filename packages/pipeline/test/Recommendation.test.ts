import { assert, describe, it } from "@effect/vitest"
import * as ConfigIssue from "@weft/config/ConfigIssue"
import * as ConsumerConfig from "@weft/config/ConsumerConfig"
import type * as Resolution from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import type * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { readFileSync } from "node:fs"
import type * as MetricsSink from "../src/MetricsSink.ts"
import * as Recommendation from "../src/Recommendation.ts"
import * as RecommendationEvidence from "../src/RecommendationEvidence.ts"
import * as RecommendationRules from "../src/RecommendationRules.ts"

const service = "s"

const share = fc.double({ min: 0, max: 1, noNaN: true })
const upTo = (max: number) => fc.oneof(fc.constant(0), fc.double({ min: 0, max, noNaN: true }), fc.nat({ max }))

const evidence: fc.Arbitrary<RecommendationEvidence.Evidence> = fc.record({
  service: fc.constant(service),
  from: fc.constant(0),
  to: fc.constant(600_000),
  seconds: fc.integer({ min: 1, max: 3_600 }),
  intervals: fc.nat({ max: 60 }),
  members: fc.nat({ max: 50 }),
  idleMembers: fc.nat({ max: 10 }),
  partitions: fc.nat({ max: 500 }),
  records: fc.nat({ max: 10_000_000 }),
  recordsPerSecond: upTo(500_000),
  bytesPerRecord: upTo(5_000_000),
  meanMs: upTo(2_000_000),
  p50Ms: upTo(2_000_000),
  p99Ms: upTo(2_000_000),
  batches: fc.nat({ max: 1_000_000 }),
  recordsPerBatch: upTo(5_000),
  fullBatchShare: share,
  retries: upTo(1_000_000),
  failures: upTo(1_000_000),
  deadLetters: upTo(100_000),
  busiestPartitionShare: share,
  busiestTopicPartitions: fc.nat({ max: 100 }),
  busiestKeyShare: fc.option(share, { nil: undefined }),
  lag: fc.record({
    records: upTo(10_000_000),
    seconds: upTo(100_000),
    growthPerSecond: fc.double({ min: -10_000, max: 100_000, noNaN: true }),
    isGrowing: fc.boolean(),
    largestPartitionShare: share
  }),
  rebalances: upTo(200),
  lost: upTo(100),
  crashes: upTo(100),
  stalls: upTo(100),
  lateCompletions: upTo(1_000),
  commitFailures: upTo(100),
  commitP99MsMax: upTo(10_000),
  memoryMbMax: upTo(10_000),
  queuedRecordsMax: upTo(1_000_000),
  queuedBytesMax: upTo(2_000_000_000),
  inFlightMax: upTo(100_000),
  oldestInFlightMsMax: upTo(90_000_000),
  uncommittedRecordsMax: upTo(1_000_000),
  pausedPartitions: fc.nat({ max: 50 }),
  eventLoopDelayMsMax: upTo(2_000_000),
  eventLoopDelayMsMedian: upTo(2_000),
  load: fc.array(
    fc.record({
      records: fc.integer({ min: 1, max: 1_000_000 }),
      recordsPerSecond: fc.double({ min: 0.1, max: 100_000, noNaN: true }),
      meanMs: fc.double({ min: 0, max: 100_000, noNaN: true }),
      atWork: fc.double({ min: 0, max: 10_000, noNaN: true })
    }),
    { maxLength: 8 }
  )
})

const valueOf = (key: Setting.SettingKey): fc.Arbitrary<unknown> => {
  const setting = Setting.get(key)
  switch (setting.type) {
    case "integer":
      // Some beyond the bounds: a row may hold anything.
      return fc.oneof(
        fc.integer({ min: setting.min.value, max: setting.max.value }),
        fc.integer({ min: setting.min.value, max: Math.min(setting.max.value, setting.default * 4) }),
        fc.constantFrom(setting.min.value, setting.max.value, setting.max.value + 1, -1)
      )
    case "choice":
      return fc.constantFrom(...Object.keys(setting.choices), "nonsense")
    case "flag":
      return fc.boolean()
    case "name":
      return fc.constant("group")
    case "text":
      return fc.constantFrom("", "{hostname}")
  }
}

const columns = fc.record(
  Object.fromEntries(Setting.keys.map((key) => [Setting.settings[key].sql, valueOf(key)])),
  { requiredKeys: [] }
)

const input: fc.Arbitrary<Resolution.Input> = fc.record({
  columns,
  fixed: fc.option(fc.constantFrom<WorkloadProfile.Values>({ maxPollRecords: 7 }, { sessionTimeoutMs: 20_000 }), {
    nil: undefined
  }),
  variable: fc.option(fc.constantFrom("max_poll_interval_ms", "retry_backoff_ms"), { nil: undefined }),
  broker: fc.option(fc.constant({ groupMinSessionTimeoutMs: 6_000, groupMaxSessionTimeoutMs: 60_000 }), {
    nil: undefined
  })
}).map(({ broker, columns, fixed, variable }) => ({
  service,
  row: { _tag: "Row", columns },
  fixed,
  broker,
  environment: variable === undefined
    ? undefined
    : [{ [Setting.fromSql(variable)!]: { variable: `WEFT_${variable.toUpperCase()}`, raw: "45000" } }, {}]
}))

const toValues = (configuration: Recommendation.Configuration): WorkloadProfile.Values =>
  Object.fromEntries(Object.entries(configuration).map(([sql, value]) => [Setting.fromSql(sql)!, value]))

const accepts = Schema.is(ConsumerConfig.ConsumerConfig)

/** The values that are refused, wherever they stand. */
const refusedBy = ({ issues }: Resolution.Resolved) =>
  issues.flatMap((issue) =>
    "setting" in issue ? [`${issue.setting} ${issue.source} ${ConfigIssue.render(issue.raw)}`] : []
  )

/** Whatever the row becomes with the changes, it holds, and nothing is refused that was not before. */
const assertHolds = (judged: Recommendation.Subject, changes: Recommendation.Configuration) => {
  const after = judged.resolve(toValues(changes))
  const known = refusedBy(judged.current)
  assert.deepStrictEqual(refusedBy(after).filter((value) => !known.includes(value)), [], JSON.stringify(changes))
  assert.isTrue(accepts(after.config))
  for (const [sql, value] of Object.entries(changes)) {
    const key = Setting.fromSql(sql)!
    assert.strictEqual(after.config[key], value, sql)
    assert.notStrictEqual(judged.current.config[key], value, sql)
  }
}

describe("Recommendation.evaluate", () => {
  it("recommends nothing that validation would refuse, whatever was seen and whatever the row says", () => {
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(evidence, input, (found, given) => {
        const judged = Recommendation.subject(given)
        const { recommendations } = Recommendation.evaluate(found, judged)
        for (const one of recommendations) {
          seen.set(one.rule, (seen.get(one.rule) ?? 0) + 1)
          assertHolds(judged, one.recommendedConfig)
          assert.isTrue(Object.keys(one.recommendedConfig).length > 0 || one.action !== undefined, one.rule)
          assert.isTrue(one.confidence > 0 && one.confidence <= 1)
          assert.isTrue(Object.values(one.evidence).every(Number.isFinite), JSON.stringify(one.evidence))
          assert.notMatch(JSON.stringify(one), /NaN|Infinity|undefined/)
        }
        assertHolds(judged, Object.assign({}, ...recommendations.map((one) => one.recommendedConfig)))
      }),
      { numRuns: 250 }
    )
    assert.isAtLeast(seen.size, 10, `rules that were seen: ${[...seen.keys()].join(", ")}`)
  })

  const judged = (row: Readonly<Record<string, unknown>>) =>
    Recommendation.subject({ service, row: { _tag: "Row", columns: row } })

  const firing = (
    name: string,
    settings: WorkloadProfile.Values,
    more: Partial<RecommendationRules.Rule> = {}
  ): RecommendationRules.Rule => ({
    name,
    needs: { intervals: 1, records: 0 },
    certainty: 1,
    judges: [],
    fires: () => ({ seen: 1 }),
    advice: () => ({ priority: "low", reason: name, settings, effect: "" }),
    ...more
  })

  const someEvidence = fc.sample(evidence, { numRuns: 1, seed: 1 })[0]!
  const one = { ...someEvidence, intervals: 2, records: 10 }
  const configsOf = (rules: ReadonlyArray<RecommendationRules.Rule>, row: Readonly<Record<string, unknown>> = {}) =>
    Object.fromEntries(
      Recommendation.evaluate(one, judged(row), rules).recommendations.map((rec) => [rec.rule, rec.recommendedConfig])
    )

  it("an earlier rule has the setting that a later one would take back; one that agrees takes its value", () => {
    const down = firing("memory", { maxPollRecords: 50 })
    assert.deepStrictEqual(configsOf([down, firing("lag", { maxPollRecords: 500 })]), {
      memory: { max_poll_records: 50 }
    })
    assert.deepStrictEqual(
      configsOf([down, firing("lag", { maxPollRecords: 500, fetchMinBytes: 1_000 })]),
      { memory: { max_poll_records: 50 }, lag: { fetch_min_bytes: 1_000 } }
    )
    assert.deepStrictEqual(
      configsOf([down, firing("more", { maxPollRecords: 20 })]),
      { memory: { max_poll_records: 50 }, more: { max_poll_records: 50 } }
    )
  })

  it("what has to move with a setting moves with it", () => {
    assert.deepStrictEqual(
      configsOf([firing("slow", { maxPollIntervalMs: 600_000 })], { request_timeout_ms: 400_000 }),
      { slow: { max_poll_interval_ms: 600_000, request_timeout_ms: 605_000 } }
    )
    // Left out, it follows by itself.
    assert.deepStrictEqual(
      configsOf([firing("slow", { maxPollIntervalMs: 600_000 })]),
      { slow: { max_poll_interval_ms: 600_000 } }
    )
    assert.deepStrictEqual(
      configsOf([firing("short", { sessionTimeoutMs: 30_000 })], { heartbeat_interval_ms: 20_000 }),
      { short: { session_timeout_ms: 30_000, heartbeat_interval_ms: 10_000 } }
    )
  })

  it("nobody is told to change a session that is the brokers' business", () => {
    const seen = { ...one, eventLoopDelayMsMax: 50_000, lost: 9, rebalances: 9, crashes: 0, members: 2, partitions: 4 }
    const of = (row: Readonly<Record<string, unknown>>) =>
      Recommendation.evaluate(seen, judged(row)).recommendations.filter(({ rule }) =>
        rule === "session-shorter-than-pauses" || rule === "frequent-rebalancing"
      )
    assert.lengthOf(of({}), 2)
    assert.isTrue(of({}).some(({ recommendedConfig }) => "session_timeout_ms" in recommendedConfig))
    const [told, ...others] = of({ group_protocol: "consumer" })
    assert.deepStrictEqual([told?.rule, others], ["frequent-rebalancing", []])
    assert.notProperty(told!.recommendedConfig, "session_timeout_ms")
    assert.include(told!.action, "group.consumer.session.timeout.ms")
  })

  it("wishes are brought within bounds; at a bound it says so", () => {
    assert.deepStrictEqual(configsOf([firing("more", { maxPollRecords: 90_000 })]), {
      more: { max_poll_records: 5_000 }
    })
    const [told] = Recommendation.evaluate(one, judged({ max_poll_records: 5_000 }), [
      firing("more", { maxPollRecords: 90_000 })
    ]).recommendations
    assert.deepStrictEqual([told?.recommendedConfig, told?.action], [
      {},
      "max_poll_records cannot go further than 5000"
    ])
  })

  it("what the environment or the program decides is not recommended for the row, and is told", () => {
    const [told] = Recommendation.evaluate(
      one,
      Recommendation.subject({
        service,
        row: { _tag: "Row", columns: {} },
        environment: [{ maxPollRecords: { variable: "WEFT_MAX_POLL_RECORDS", raw: "10" } }, {}]
      }),
      [firing("more", { maxPollRecords: 500 })]
    ).recommendations
    assert.deepStrictEqual(told?.recommendedConfig, {})
    assert.strictEqual(
      told?.action,
      "max_poll_records is set by the variable WEFT_MAX_POLL_RECORDS, before the row"
    )
  })

  it("too little evidence decides nothing; a rule that knows the cause silences another", () => {
    const { recommendations, undecided } = Recommendation.evaluate(one, judged({}), [
      firing("later", { maxPollRecords: 500 }, { needs: { intervals: 3, records: 0 } }),
      firing("few", { maxPollRecords: 500 }, { needs: { intervals: 1, records: 11 } }),
      firing("symptom", { fetchMinBytes: 5 }, { yieldsTo: ["cause"] }),
      firing("cause", { concurrency: 5 })
    ])
    assert.deepStrictEqual(undecided, ["later", "few"])
    assert.deepStrictEqual(recommendations.map(({ rule }) => rule), ["cause"])
    assert.deepStrictEqual(
      Recommendation.evaluate(undefined, judged({})).undecided,
      RecommendationRules.rules.map(({ name }) => name)
    )
  })

  it("those of high priority come first", () => {
    const found = Recommendation.evaluate(one, judged({}), [
      firing("a", { maxPollRecords: 500 }),
      firing("b", { fetchMinBytes: 5 }, {
        advice: () => ({ priority: "high", reason: "", settings: { fetchMinBytes: 5 }, effect: "" })
      })
    ])
    assert.deepStrictEqual(found.recommendations.map(({ rule }) => rule), ["b", "a"])
  })
})

describe("docs/recommendations.md", () => {
  it("has a section for each rule, in their order of precedence", () => {
    const page = readFileSync(new URL("../../../docs/recommendations.md", import.meta.url), "utf8")
    const [, ...sections] = page.split(/^## /m)
    const ofRules = sections.filter((section) => /^[a-z-]+\n/.test(section))
    assert.deepStrictEqual(
      ofRules.map((section) => section.split("\n")[0]),
      RecommendationRules.rules.map(({ name }) => name)
    )
    for (const section of ofRules) {
      for (const part of ["What it sees", "Why", "hat to do"]) assert.include(section, part, section.split("\n")[0])
    }
  })
})

describe("RecommendationEvidence.make", () => {
  const member = (at: number, more: Partial<MetricsSink.MemberMetrics> = {}): MetricsSink.MemberMetrics => ({
    service,
    group: "g",
    member: "m1",
    timestamp: at,
    intervalMs: 10_000,
    partitions: 2,
    pausedPartitions: 0,
    queuedRecords: 0,
    queuedBytes: 0,
    inFlight: 0,
    oldestInFlightMs: 0,
    uncommittedRecords: 0,
    commits: 0,
    commitFailures: 0,
    commitMeanMs: 0,
    commitP99Ms: 0,
    rebalances: 0,
    lost: 0,
    crashes: 0,
    stalls: 0,
    memoryUsageMb: 100,
    heapUsedMb: 50,
    eventLoopDelayMs: 1,
    lateCompletions: 0,
    ...more
  })
  const topic = (at: number, more: Partial<MetricsSink.ProcessingMetrics> = {}): MetricsSink.ProcessingMetrics => ({
    service,
    topic: "t",
    member: "m1",
    timestamp: at,
    intervalMs: 10_000,
    messagesProcessed: 100,
    processingTimeMs: 10,
    processingTimeP50Ms: 10,
    processingTimeP95Ms: 10,
    processingTimeP99Ms: 10,
    messagesPerSecond: 10,
    bytes: 1_000,
    retries: 0,
    failures: 0,
    skipped: 0,
    deadLetters: 0,
    durations: [[10, 100]],
    batches: 10,
    fullBatches: 5,
    partitions: 2,
    busiestPartitionRecords: 60,
    busiestKeyRecords: undefined,
    memoryUsageMb: 100,
    ...more
  })
  const lag = (at: number, partition: number, records: bigint): MetricsSink.LagSample => ({
    service,
    group: "g",
    member: "m1",
    topic: "t",
    partition,
    lag: records,
    consumerOffset: 0n,
    endOffset: records,
    lagSeconds: Number(records) / 10,
    timestamp: at
  })

  it("adds members and intervals up, by records and not by averages", () => {
    const found = RecommendationEvidence.make(service, {
      members: [member(10_000), member(20_000), member(18_000, { member: "m2", partitions: 3 })],
      metrics: [
        topic(10_000),
        topic(20_000, { messagesProcessed: 300, processingTimeMs: 50, durations: [[50, 300]] }),
        topic(18_000, { member: "m2", busiestPartitionRecords: 90 })
      ],
      lag: []
    })!
    assert.deepInclude(found, {
      seconds: 20,
      intervals: 2,
      members: 2,
      partitions: 5,
      records: 500,
      recordsPerSecond: 25,
      meanMs: 34,
      p50Ms: 50,
      recordsPerBatch: 500 / 30,
      fullBatchShare: 0.5,
      // In each interval the busiest partition is that of one member.
      busiestPartitionShare: 150 / 500
    })
    assert.lengthOf(found.load, 2)
  })

  it("a member that joined again under another name counts once", () => {
    const found = RecommendationEvidence.make(service, {
      members: [member(10_000, { member: "old" }), member(20_000, { member: "new" })],
      metrics: [],
      lag: []
    })!
    assert.strictEqual(found.members, 1)
    assert.strictEqual(found.intervals, 2)
    // However uneven its intervals are, beside a member that measures at other times.
    const uneven = RecommendationEvidence.make(service, {
      members: [
        member(10_000, { member: "old" }),
        member(13_000, { member: "new", intervalMs: 3_000 }),
        member(11_000, { member: "other" })
      ],
      metrics: [],
      lag: []
    })!
    assert.strictEqual(uneven.members, 2)
  })

  it("what was measured in part or wholly before the configuration was applied does not count", () => {
    const measured = { members: [10_000, 20_000, 30_000].map((at) => member(at, { stalls: 1 })), metrics: [], lag: [] }
    assert.strictEqual(RecommendationEvidence.make(service, measured, { since: 15_000 })?.stalls, 1)
    assert.strictEqual(RecommendationEvidence.make(service, measured, { since: 10_000 })?.stalls, 2)
    assert.isUndefined(RecommendationEvidence.make(service, measured, { since: 30_000 }))
    assert.isUndefined(RecommendationEvidence.make("other", measured))
  })

  it("a lag grows where it grew over all of the window and at its end", () => {
    const lagOf = (...samples: ReadonlyArray<readonly [at: number, partition: number, records: bigint]>) =>
      RecommendationEvidence.make(service, {
        members: [member(40_000, { intervalMs: 40_000 })],
        metrics: [],
        lag: samples.map(([at, partition, records]) => lag(at, partition, records))
      })!.lag
    assert.deepStrictEqual(lagOf([10_000, 0, 100n], [20_000, 0, 200n], [30_000, 0, 300n]), {
      records: 300,
      seconds: 30,
      growthPerSecond: 10,
      isGrowing: true,
      largestPartitionShare: 1
    })
    assert.isFalse(lagOf([10_000, 0, 100n], [20_000, 0, 300n], [30_000, 0, 200n]).isGrowing, "it falls by now")
    assert.isFalse(lagOf([10_000, 0, 300n], [20_000, 0, 200n]).isGrowing)
    assert.isFalse(lagOf([10_000, 0, 300n]).isGrowing, "one sample says nothing")
    assert.deepInclude(lagOf([10_000, 0, 100n], [20_000, 0, 300n], [10_000, 1, 100n], [20_000, 1, 100n]), {
      growthPerSecond: 20,
      largestPartitionShare: 0.75
    })
  })

  it("bytes of a record: what was taken in by what was taken in", () => {
    const bytesOf = (...intervals: ReadonlyArray<readonly [settled: number, bytes: number, inFlight: number]>) =>
      RecommendationEvidence.make(service, {
        members: intervals.map(([, , inFlight], i) => member((i + 1) * 10_000, { inFlight })),
        metrics: intervals.map(([messagesProcessed, bytes], i) =>
          topic((i + 1) * 10_000, { messagesProcessed, bytes })
        ),
        lag: []
      })!.bytesPerRecord
    assert.strictEqual(bytesOf([100, 1_000, 50], [100, 1_000, 50]), 10)
    assert.strictEqual(bytesOf([10, 1_000, 90], [10, 0, 80]), 10)
    assert.strictEqual(bytesOf([0, 0, 0]), 0)
    assert.strictEqual(
      bytesOf([10, 0, 90], [100, 1_000, 90], [50, 1_000, 140]),
      10,
      "what was taken in before is not known"
    )
  })
})
