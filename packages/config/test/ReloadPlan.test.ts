import { assert, describe, it } from "@effect/vitest"
import * as ConsumerConfig from "@weft/config/ConsumerConfig"
import * as ReloadPlan from "@weft/config/ReloadPlan"
import * as Resolution from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"

const resolved = (columns: { readonly [column: string]: unknown }, service = "svc") =>
  Resolution.resolve({ service, row: { _tag: "Row", columns } })

const plan = (old: { readonly [column: string]: unknown }, next: { readonly [column: string]: unknown }) =>
  ReloadPlan.make(resolved(old), resolved(next))

describe("ReloadPlan", () => {
  it("tells each change with its class, in one line", () => {
    const changed = plan(
      { session_timeout_ms: 30000, heartbeat_interval_ms: 5000 },
      { max_poll_records: 500, session_timeout_ms: 45000, heartbeat_interval_ms: 5000, auto_offset_reset: "latest" }
    )
    assert.strictEqual(
      ReloadPlan.render(changed),
      "max_poll_records 100 -> 500 hot; session_timeout_ms 30000 -> 45000 rejoin; "
        + "auto_offset_reset earliest -> latest restart; queue_max_records 5000 -> 25000 hot"
    )
    assert.deepStrictEqual(changed.changes[0], {
      setting: "maxPollRecords",
      reload: "hot",
      from: 100,
      to: 500,
      source: "row"
    })
  })

  it("tells what follows from a change as well", () => {
    assert.strictEqual(
      ReloadPlan.render(plan({}, { session_timeout_ms: 30000 })),
      "session_timeout_ms 60000 -> 30000 rejoin; heartbeat_interval_ms 20000 -> 10000 rejoin"
    )
  })

  it("tells what is refused with its reason, once", () => {
    const first = plan({ max_poll_records: 7 }, { max_poll_records: 9999 })
    assert.match(
      ReloadPlan.render(first),
      /^max_poll_records 7 -> 100 hot; queue_max_records 350 -> 5000 hot; refused: max_poll_records 9999 is more than 5000 \(.+\): 100 \(default\) is used$/
    )
    const again = plan({ max_poll_records: 9999 }, { max_poll_records: 9999, fetch_min_bytes: 2 })
    assert.strictEqual(ReloadPlan.render(again), "fetch_min_bytes 1 -> 2 hot")
  })

  it("of two equal configurations is empty", () => {
    const same = plan({ max_poll_records: 100 }, {})
    assert.isTrue(ReloadPlan.isEmpty(same))
    assert.strictEqual(ReloadPlan.render(same), "no change")
    assert.deepStrictEqual(ReloadPlan.step(same, "rejoin"), same.from)
  })

  it("quotes names, which come from outside", () => {
    const line = ReloadPlan.render(plan({ consumer_group_id: "a" }, { consumer_group_id: "x; rm -rf \u202e/" }))
    assert.strictEqual(line, "consumer_group_id a -> \"x; rm -rf \u202e/\" restart")
    assert.isBelow(ReloadPlan.render(plan({}, { consumer_group_id: "x".repeat(10_000) })).length, 500)
  })

  it("steps: hot settings first, then those of the rejoin; what needs a start stays", () => {
    const changed = plan({}, { max_poll_records: 500, session_timeout_ms: 45000, consumer_group_id: "other" })
    const hot = ReloadPlan.step(changed, "hot")
    assert.deepStrictEqual(hot, { ...changed.from, maxPollRecords: 500, queueMaxRecords: 25_000 })
    assert.deepStrictEqual(ReloadPlan.step(changed, "rejoin"), {
      ...hot,
      sessionTimeoutMs: 45000,
      heartbeatIntervalMs: 15000
    })
  })

  it("a hot setting that contradicts the old settings waits for the rejoin", () => {
    const changed = plan(
      { max_poll_interval_ms: 60000 },
      { max_poll_interval_ms: 600000, retry_backoff_ms: 120000, max_poll_records: 7 }
    )
    assert.deepInclude(ReloadPlan.step(changed, "hot"), { retryBackoffMs: 100, maxPollRecords: 7 })
    assert.deepInclude(ReloadPlan.step(changed, "rejoin"), { retryBackoffMs: 120000, maxPollIntervalMs: 600000 })
  })

  it("gives each setting the class that the handbook promises", () => {
    const of = (reload: Setting.ReloadClass) => Setting.keys.filter((key) => Setting.settings[key].reload === reload)
    assert.deepStrictEqual(of("hot"), [
      "maxPollRecords",
      "enableAutoCommit",
      "autoCommitIntervalMs",
      "fetchMinBytes",
      "fetchMaxWaitMs",
      "fetchMaxBytes",
      "maxPartitionFetchBytes",
      "retryBackoffMs",
      "processingOrder",
      "concurrency",
      "maxInFlight",
      "queueMaxRecords",
      "queueMaxBytes",
      "bufferMaxBytes",
      "metricsIntervalMs"
    ])
    assert.deepStrictEqual(of("restart"), ["consumerGroupId", "autoOffsetReset"])
  })
})

describe("ReloadPlan: whatever the rows hold", () => {
  const accepts = Schema.is(ConsumerConfig.ConsumerConfig)
  const number = fc.oneof(
    fc.integer({ min: 1, max: 700_000 }),
    fc.constantFrom(1, 100, 6000, 20000, 30000, 60000, 300000, 305000, 600000, 52428800)
  )
  const row = fc.record(
    Object.fromEntries(
      Setting.keys.map((key) => [
        Setting.settings[key].sql,
        Setting.get(key).type === "integer"
          ? number
          : fc.constantFrom("range", "sticky", "latest", "true", "false", "g")
      ])
    ),
    { requiredKeys: [] }
  )

  it("each step is a configuration that the Schema accepts, and the last one leaves restarts alone", {
    timeout: 60_000
  }, () => {
    fc.assert(
      fc.property(row, row, (old, next) => {
        const changed = plan(old, next)
        assert.isTrue(accepts(ReloadPlan.step(changed, "hot")))
        const last = ReloadPlan.step(changed, "rejoin")
        assert.isTrue(accepts(last))
        for (const key of Setting.keys) {
          const isRestart = Setting.settings[key].reload === "restart"
          assert.strictEqual(last[key], isRestart ? changed.from[key] : changed.to[key])
        }
        assert.notMatch(ReloadPlan.render(changed), /[\r\n]/)
      }),
      { numRuns: 400 }
    )
  })
})
