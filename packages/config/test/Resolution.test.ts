import { assert, describe, it } from "@effect/vitest"
import * as ConfigIssue from "@weft/config/ConfigIssue"
import * as ConsumerConfig from "@weft/config/ConsumerConfig"
import type { RowResult } from "@weft/config/ConfigRow"
import type * as Environment from "@weft/config/Environment"
import * as Resolution from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import {
  columns,
  environments,
  limits,
  namedProfile,
  overrides,
  profiles,
  programs,
  services,
  tables,
  valuesOf
} from "./arbitraries.ts"

const accepts = Schema.is(ConsumerConfig.ConsumerConfig)

const resolve = (
  columns: { readonly [column: string]: unknown },
  profile?: WorkloadProfile.WorkloadProfile,
  service = "svc"
) => {
  const resolved = Resolution.resolve({ service, row: { _tag: "Row", columns }, profile })
  assert.isTrue(accepts(resolved.config))
  return resolved
}

const sourced = (resolved: Resolution.Resolved, key: Setting.SettingKey) =>
  [resolved.provenance[key].value, resolved.provenance[key].source] as const

const refused = (resolved: Resolution.Resolved) =>
  resolved.issues.flatMap((issue) => "setting" in issue ? [`${issue.setting}: ${issue._tag}`] : [issue._tag])

describe("Resolution: where values come from", () => {
  it("an empty row is the defaults, without an issue", () => {
    const resolved = resolve({ service_name: "svc", description: "mine", created_at: "x", updated_at: "x" })
    assert.deepStrictEqual(resolved.issues, [])
    assert.deepStrictEqual(sourced(resolved, "maxPollRecords"), [100, "default"])
    assert.deepStrictEqual(sourced(resolved, "heartbeatIntervalMs"), [20000, "default"])
    assert.deepStrictEqual(sourced(resolved, "consumerGroupId"), ["svc-consumer-group", "derived"])
  })

  it("row, then profile, then default, each field by itself", () => {
    const resolved = resolve({ max_poll_records: 7, session_timeout_ms: null }, WorkloadProfile.profiles.gpu)
    assert.deepStrictEqual(sourced(resolved, "maxPollRecords"), [7, "row"])
    assert.deepStrictEqual(sourced(resolved, "sessionTimeoutMs"), [300000, "profile"])
    assert.deepStrictEqual(sourced(resolved, "retryBackoffMs"), [100, "default"])
    assert.deepStrictEqual(sourced(resolved, "requestTimeoutMs"), [605000, "derived"])
  })

  it("the guide's three rows hold as they stand and derive the rest", () => {
    const vad = resolve({
      consumer_group_id: "loom-vad",
      max_poll_records: 500,
      session_timeout_ms: 30000,
      max_poll_interval_ms: 60000
    })
    assert.deepStrictEqual(vad.issues, [])
    assert.deepStrictEqual(sourced(vad, "consumerGroupId"), ["loom-vad", "row"])
    assert.deepStrictEqual(sourced(vad, "heartbeatIntervalMs"), [10000, "derived"])
    assert.deepStrictEqual(sourced(vad, "requestTimeoutMs"), [305000, "default"])

    const vision = resolve({
      max_poll_records: 1,
      session_timeout_ms: 300000,
      max_poll_interval_ms: 600000,
      max_partition_fetch_bytes: 52428800
    })
    assert.deepStrictEqual(vision.issues, [])
    assert.deepStrictEqual(sourced(vision, "requestTimeoutMs"), [605000, "derived"])
    assert.deepStrictEqual(sourced(vision, "heartbeatIntervalMs"), [20000, "default"])

    const geocoder = resolve({ max_poll_records: 10, session_timeout_ms: 120000, retry_backoff_ms: 1000 })
    assert.deepStrictEqual(geocoder.issues, [])
    assert.deepStrictEqual(sourced(geocoder, "maxPollIntervalMs"), [300000, "default"])
  })

  it("without a row, the profile and the defaults hold, and the reason is an issue", () => {
    const reason = { _tag: "DatabaseUnreachable", service: "svc", detail: "ECONNREFUSED" } as const
    const resolved = Resolution.resolve({
      service: "svc",
      row: { _tag: "NoRow", reason },
      profile: WorkloadProfile.profiles["network-io"]
    })
    assert.deepStrictEqual(resolved.issues, [reason])
    assert.deepStrictEqual(sourced(resolved, "maxPollRecords"), [10, "profile"])
  })
})

describe("Resolution: values left out follow the others", () => {
  const cases: ReadonlyArray<readonly [string, Record<string, number>, Setting.SettingKey, number]> = [
    ["a heartbeat is at most a third of the session", { session_timeout_ms: 10000 }, "heartbeatIntervalMs", 3333],
    ["a session is at most the poll interval", { max_poll_interval_ms: 30000 }, "sessionTimeoutMs", 30000],
    ["and the heartbeat follows the derived session", { max_poll_interval_ms: 30000 }, "heartbeatIntervalMs", 10000],
    ["a poll interval is at least the session", { session_timeout_ms: 400000 }, "maxPollIntervalMs", 400000],
    ["and the request timeout follows it", { session_timeout_ms: 400000 }, "requestTimeoutMs", 405000],
    ["an answer holds a partition's part", { max_partition_fetch_bytes: 99999999 }, "fetchMaxBytes", 99999999],
    ["a partition's part fits the answer", { fetch_max_bytes: 4096 }, "maxPartitionFetchBytes", 4096],
    ["the longest reconnect pause holds the first", { reconnect_backoff_ms: 5000 }, "reconnectBackoffMaxMs", 5000],
    ["the first reconnect pause fits the longest", { reconnect_backoff_max_ms: 20 }, "reconnectBackoffMs", 20]
  ]
  it.each(cases)("%s", (_, columns, key, value) => {
    const resolved = resolve(columns)
    assert.deepStrictEqual(resolved.issues, [])
    assert.deepStrictEqual(sourced(resolved, key), [value, "derived"])
  })

  it("the bounds of queues grow with what comes into them, unless they are set", () => {
    const { config, provenance } = resolve({
      max_poll_records: 400,
      max_partition_fetch_bytes: 4_000_000,
      fetch_max_bytes: 8_000_000
    })
    assert.deepInclude(config, { queueMaxRecords: 20_000, queueMaxBytes: 8_000_000, bufferMaxBytes: 16_000_000 })
    assert.strictEqual(provenance.queueMaxRecords.source, "derived")
    assert.deepInclude(resolve({ max_poll_records: 400, queue_max_records: 9, buffer_max_bytes: 2 ** 20 }).config, {
      queueMaxRecords: 9,
      bufferMaxBytes: 2 ** 20
    })
    const largest = resolve({ fetch_max_bytes: 2 ** 30, max_partition_fetch_bytes: 2 ** 30 }).config
    assert.deepInclude(largest, { queueMaxBytes: 2 ** 31 - 1, bufferMaxBytes: 2 ** 31 - 1 })
  })

  it("a row bends a profile's value rather than contradict it", () => {
    const resolved = resolve({ max_poll_interval_ms: 100000 }, WorkloadProfile.profiles.gpu)
    assert.deepStrictEqual(resolved.issues, [])
    assert.deepStrictEqual(sourced(resolved, "sessionTimeoutMs"), [100000, "derived"])
  })
})

describe("Resolution: what is refused", () => {
  it("a value of the wrong type falls back alone", () => {
    const resolved = resolve(
      { max_poll_records: "many", session_timeout_ms: 30000, auto_offset_reset: "sometimes", enable_auto_commit: 3 },
      WorkloadProfile.profiles.gpu
    )
    assert.deepStrictEqual(refused(resolved), [
      "maxPollRecords: BadValue",
      "enableAutoCommit: BadValue",
      "autoOffsetReset: BadValue"
    ])
    assert.deepStrictEqual(sourced(resolved, "maxPollRecords"), [1, "profile"])
    assert.deepStrictEqual(sourced(resolved, "sessionTimeoutMs"), [30000, "row"])
    assert.strictEqual(resolved.provenance.maxPollRecords.refused?.raw, "many")
    assert.strictEqual(
      ConfigIssue.message(resolved.issues[0]!),
      "max_poll_records \"many\" is not a whole number: 1 (profile) is used"
    )
  })

  it("a number out of bounds says which bound and why", () => {
    const resolved = resolve({ max_poll_records: 5001, session_timeout_ms: 10 })
    assert.deepStrictEqual(refused(resolved), ["maxPollRecords: OutOfBounds", "sessionTimeoutMs: OutOfBounds"])
    assert.match(
      ConfigIssue.message(resolved.issues[0]!),
      /^max_poll_records 5001 is more than 5000 \(.+\): 100 \(default\) is used$/
    )
    assert.match(ConfigIssue.message(resolved.issues[1]!), /is less than 6000 \(.*group\.min\.session\.timeout\.ms/)
  })

  it("bounds themselves are accepted", () => {
    for (const key of Setting.keys) {
      const setting = Setting.get(key)
      if (setting.type !== "integer") continue
      for (const value of [setting.min.value, setting.max.value]) {
        const resolved = resolve({ [setting.sql]: value })
        // The longest pauses and timeouts alone contradict defaults that do not bend to them.
        const bends = resolved.provenance[key].source === "row"
        assert.isTrue(bends || refused(resolved)[0] === `${key}: Contradiction`, `${key} ${value}`)
      }
    }
  })

  it("whole numbers are taken from every type that a column may have", () => {
    for (const raw of [500, 500n, "500", "500.0", " 500 "]) {
      assert.deepStrictEqual(sourced(resolve({ max_poll_records: raw }), "maxPollRecords"), [500, "row"])
    }
  })

  it("a static member's name in a row tells the members apart, and is none where it does not", () => {
    const id = (columns: Record<string, unknown>) => {
      const resolved = resolve({ ...columns })
      return [resolved.config.groupInstanceId, ...refused(resolved)]
    }
    assert.deepStrictEqual(id({ group_instance_id: "geo-{hostname}" }), ["geo-{hostname}"])
    assert.deepStrictEqual(id({ group_instance_id: "" }), [""])
    for (const bad of ["geo-1", "geo {hostname}", `${"x".repeat(250)}{hostname}`, "..", 7]) {
      assert.deepStrictEqual(id({ group_instance_id: bad }), ["", "groupInstanceId: BadValue"], String(bad))
    }
    const own = Resolution.resolve({
      service: "svc",
      row: { _tag: "Row", columns: { group_instance_id: "geo-{hostname}" } },
      environment: [{ groupInstanceId: { variable: "WEFT_SVC_GROUP_INSTANCE_ID", raw: "geo-1" } }, {}]
    })
    assert.deepStrictEqual(sourced(own, "groupInstanceId"), ["geo-1", "environment"])
    assert.deepStrictEqual(own.issues, [])
  })

  it("each member puts its host's name in place of {hostname}", () => {
    const on = (groupInstanceId: string, hostname: string) => ConsumerConfig.instanceIdOn({ groupInstanceId }, hostname)
    assert.strictEqual(on("", "a"), undefined)
    assert.strictEqual(on("geo-{hostname}", "pod-0.geo"), "geo-pod-0.geo")
    assert.strictEqual(on("{hostname}", "my host"), "my_host")
    assert.strictEqual(on("{hostname}", "h".repeat(300)), "h".repeat(249))
  })

  it("with group_protocol consumer, what the broker decides is told where somebody has said it", () => {
    const told = (columns: Record<string, unknown>, profile?: WorkloadProfile.WorkloadProfile) =>
      resolve(columns, profile).issues.map(ConfigIssue.message)
    const row = { session_timeout_ms: 30000, partition_assignment_strategy: "sticky" }
    assert.deepStrictEqual(told(row), [])
    assert.deepStrictEqual(told({ group_protocol: "consumer" }), [])
    assert.deepStrictEqual(told({ group_protocol: "consumer", partition_assignment_strategy: "range" }), [])
    const [message, ...others] = told({ group_protocol: "consumer", ...row })
    assert.match(
      message!,
      /^session_timeout_ms 30000 \(row\), partition_assignment_strategy "?sticky"? \(row\) have no effect where the members speak group_protocol consumer \(row\)/
    )
    assert.deepStrictEqual(others, [])
    assert.match(
      told({ group_protocol: "consumer" }, WorkloadProfile.profiles.gpu)[0]!,
      /^session_timeout_ms 300000 \(profile\) has/
    )
  })

  it("unknown columns have no effect and are named", () => {
    const resolved = resolve({ max_pol_records: 5, service_name: "svc" })
    assert.deepStrictEqual(resolved.issues, [{ _tag: "UnknownColumn", service: "svc", column: "max_pol_records" }])
  })

  it("a bad value of a profile is told apart from one of the row", () => {
    const resolved = resolve({}, {
      name: "own",
      description: "",
      values: { maxPollRecords: 0, sessionTimeoutMs: 400000, maxPollIntervalMs: 60000 }
    })
    assert.deepStrictEqual(refused(resolved), ["maxPollRecords: OutOfBounds", "sessionTimeoutMs: Contradiction"])
    assert.match(ConfigIssue.message(resolved.issues[0]!), /^max_poll_records of the profile 0 is less than 1/)
  })
})

describe("Resolution: contradictions fall back as few fields as possible", () => {
  const cases: ReadonlyArray<
    readonly [string, Record<string, number>, ReadonlyArray<readonly [Setting.SettingKey, number]>]
  > = [
    [
      "a heartbeat of more than a third of the session",
      { session_timeout_ms: 30000, heartbeat_interval_ms: 20000 },
      [["heartbeatIntervalMs", 10000]]
    ],
    [
      "a session longer than the poll interval",
      { session_timeout_ms: 120000, max_poll_interval_ms: 60000 },
      [["sessionTimeoutMs", 60000]]
    ],
    [
      "a request timeout that ends before the poll interval",
      { max_poll_interval_ms: 600000, request_timeout_ms: 305000 },
      [["requestTimeoutMs", 605000]]
    ],
    ["a request timeout never shortens a poll interval that was left out", { request_timeout_ms: 30000 }, [
      ["requestTimeoutMs", 305000]
    ]],
    ["a heartbeat never lengthens a session that was left out", { heartbeat_interval_ms: 30000 }, [
      ["heartbeatIntervalMs", 20000]
    ]],
    [
      "a partition's part of more than the whole",
      { max_partition_fetch_bytes: 2000000, fetch_max_bytes: 1000000 },
      [["maxPartitionFetchBytes", 1000000]]
    ],
    [
      "a first reconnect pause of more than the longest",
      { reconnect_backoff_ms: 500, reconnect_backoff_max_ms: 100 },
      [["reconnectBackoffMs", 50]]
    ],
    [
      "one poll interval against session and heartbeat: it is the one that falls back",
      { heartbeat_interval_ms: 20000, session_timeout_ms: 100000, max_poll_interval_ms: 50000 },
      [["maxPollIntervalMs", 300000]]
    ]
  ]
  it.each(cases)("%s", (_, columns, expected) => {
    const resolved = resolve(columns)
    assert.deepStrictEqual(refused(resolved), expected.map(([key]) => `${key}: Contradiction`))
    for (const [key, value] of expected) {
      assert.strictEqual(resolved.config[key], value)
      assert.strictEqual(resolved.provenance[key].refused?.raw, columns[Setting.settings[key].sql])
    }
  })

  it("says what it contradicts, by which rule, and what is used", () => {
    const [issue] = resolve({ session_timeout_ms: 30000, heartbeat_interval_ms: 20000 }).issues
    assert.strictEqual(
      ConfigIssue.message(issue!),
      "heartbeat_interval_ms 20000 contradicts session_timeout_ms 30000 (row): heartbeat_interval_ms must be at most a "
        + "third of session_timeout_ms, so that two lost heartbeats are no death: 10000 (derived) is used"
    )
  })
})

describe("Resolution: sources above the row, and in its place", () => {
  const environment = (values: Record<string, string>): Environment.Environment => [
    Object.fromEntries(
      Object.entries(values).map(([key, raw]) => [key, { variable: `WEFT_SVC_${key}`, raw }])
    ),
    {}
  ]

  it("the environment wins where it contradicts the row, though more values of the row fall back", () => {
    const columns = { heartbeat_interval_ms: 20000, session_timeout_ms: 100000 }
    const resolved = Resolution.resolve({
      service: "svc",
      row: { _tag: "Row", columns },
      environment: environment({ maxPollIntervalMs: "50000" })
    })
    assert.isTrue(accepts(resolved.config))
    assert.deepStrictEqual(sourced(resolved, "maxPollIntervalMs"), [50000, "environment"])
    assert.deepStrictEqual(refused(resolved), ["sessionTimeoutMs: Contradiction", "heartbeatIntervalMs: Contradiction"])
    assert.match(
      ConfigIssue.message(resolved.issues[0]!),
      /^session_timeout_ms 100000 contradicts max_poll_interval_ms 50000 \(environment\)/
    )
  })

  it("a value of the environment that contradicts another one gives way to the row", () => {
    const resolved = Resolution.resolve({
      service: "svc",
      row: { _tag: "Row", columns: { heartbeat_interval_ms: 3000 } },
      environment: environment({ heartbeatIntervalMs: "20000", sessionTimeoutMs: "30000" })
    })
    assert.deepStrictEqual(sourced(resolved, "heartbeatIntervalMs"), [3000, "row"])
    assert.deepInclude(resolved.provenance.heartbeatIntervalMs.refused, { raw: "20000" })
  })

  it("what the program says holds where row and profile say nothing, and shows as its own", () => {
    const defaults = { concurrency: 4, processingOrder: "key", maxInFlight: 64, metricsIntervalMs: 2_000 } as const
    const { config, issues, provenance } = Resolution.resolve({
      service: "svc",
      row: { _tag: "Row", columns: { concurrency: 8 } },
      profile: { name: "own", description: "", values: { maxInFlight: 10 } },
      environment: [{ metricsIntervalMs: { variable: "V", raw: "5000" } }, {}],
      defaults
    })
    assert.deepStrictEqual(issues, [])
    assert.deepInclude(config, { concurrency: 8, processingOrder: "key", maxInFlight: 10, metricsIntervalMs: 5_000 })
    assert.deepStrictEqual(
      [provenance.concurrency.source, provenance.processingOrder.source, provenance.maxInFlight.source],
      ["row", "code", "profile"]
    )
    const plain = Resolution.resolve({ service: "svc", row: { _tag: "Row", columns: {} }, defaults })
    assert.deepStrictEqual(plain.provenance.concurrency, { value: 4, source: "code" })
  })

  it("what the program insists on comes before everything, and is checked by the same bounds", () => {
    const { config, issues, provenance } = Resolution.resolve({
      service: "svc",
      row: { _tag: "Row", columns: { max_poll_records: 7, session_timeout_ms: 30_000, concurrency: 3 } },
      environment: [{ maxPollRecords: { variable: "V", raw: "9" } }, {}],
      fixed: { maxPollRecords: 11, concurrency: -1, heartbeatIntervalMs: 20_000 },
      defaults: { metricsIntervalMs: 1 }
    })
    assert.deepInclude(config, { maxPollRecords: 11, concurrency: 3, heartbeatIntervalMs: 20_000 })
    assert.deepStrictEqual(provenance.maxPollRecords, { value: 11, source: "code" })
    // The row's session gives way: a value of a stronger source never does.
    assert.notStrictEqual(provenance.sessionTimeoutMs.source, "row")
    assert.deepInclude(provenance.concurrency, { value: 3, source: "row" })
    assert.match(issues.map(ConfigIssue.message).join("\n"), /concurrency of the program -1 is less than 0/)
    assert.match(issues.map(ConfigIssue.message).join("\n"), /metrics_interval_ms of the program 1 is less than 100/)
  })

  it("the last known good configuration stands where the row would, and is said so", () => {
    const reason = { _tag: "DatabaseUnreachable", service: "svc", detail: "ECONNREFUSED" } as const
    const resolved = Resolution.resolve({
      service: "svc",
      row: {
        _tag: "LastKnownGood",
        columns: { max_poll_records: 7, workload_profile: "own", fetch_min_bytes: "no" },
        table: { profiles: { own: { session_timeout_ms: 30000 } } },
        reason,
        savedAt: Date.UTC(2026, 0, 2)
      }
    })
    assert.deepStrictEqual(sourced(resolved, "maxPollRecords"), [7, "lastKnownGood"])
    assert.deepStrictEqual(sourced(resolved, "sessionTimeoutMs"), [30000, "lastKnownGood"])
    assert.deepStrictEqual(sourced(resolved, "heartbeatIntervalMs"), [10000, "derived"])
    assert.deepStrictEqual(resolved.issues.map(ConfigIssue.message), [
      "the database is unreachable: \"ECONNREFUSED\"",
      "the last known good configuration, saved at 2026-01-02T00:00:00.000Z, holds",
      "fetch_min_bytes of the last known good configuration \"no\" is not a whole number: 1 (default) is used"
    ])
  })
})

describe("Resolution: which profile", () => {
  const profileOf = (row: RowResult, code?: WorkloadProfile.WorkloadProfile) => {
    const resolved = Resolution.resolve({ service: "a-vision-b", row, profile: code })
    assert.isTrue(accepts(resolved.config))
    return resolved
  }
  const rule = { pattern: "%-vision-%", profile: "gpu" }
  const told = (resolved: Resolution.Resolved) => [resolved.profile, resolved.profileSource]

  it("the row's, then the rule's, then the program's, then the default", () => {
    const code = WorkloadProfile.profiles.llm
    const all = profileOf({ _tag: "Row", columns: { workload_profile: "network-io" }, table: { rule } }, code)
    assert.deepStrictEqual(told(all), ["network-io", "row"])
    assert.deepStrictEqual(sourced(all, "maxPollRecords"), [10, "profile"])
    assert.deepStrictEqual(told(profileOf({ _tag: "Row", columns: {}, table: { rule } }, code)), ["gpu", "rule"])
    assert.deepStrictEqual(told(profileOf({ _tag: "Row", columns: { workload_profile: null } }, code)), ["llm", "code"])
    assert.deepStrictEqual(told(profileOf({ _tag: "Row", columns: {} })), ["default", "default"])
  })

  it("a rule holds for a service without a row, and explicit columns win", () => {
    const reason = { _tag: "MissingRow", service: "a-vision-b" } as const
    assert.strictEqual(profileOf({ _tag: "NoRow", reason, table: { rule } }).config.maxPollRecords, 1)
    const row = profileOf({ _tag: "Row", columns: { max_poll_records: 9 }, table: { rule } })
    assert.deepStrictEqual(sourced(row, "maxPollRecords"), [9, "row"])
    assert.deepStrictEqual(sourced(row, "sessionTimeoutMs"), [300000, "profile"])
  })

  it("the table's profile comes before the built-in one, also for the program's and for the default", () => {
    const profiles = { gpu: { max_poll_records: 2 }, default: { fetch_min_bytes: 5 }, own: { max_poll_records: 3 } }
    const changed = profileOf({ _tag: "Row", columns: {}, table: { rule, profiles } })
    assert.deepStrictEqual(sourced(changed, "maxPollRecords"), [2, "profile"])
    assert.deepStrictEqual(sourced(changed, "sessionTimeoutMs"), [60000, "default"])
    const none = profileOf({ _tag: "Row", columns: {}, table: { profiles } })
    assert.deepStrictEqual(sourced(none, "fetchMinBytes"), [5, "profile"])
    const code = profileOf({ _tag: "Row", columns: {}, table: { profiles } }, WorkloadProfile.profiles.gpu)
    assert.deepStrictEqual(sourced(code, "maxPollRecords"), [2, "profile"])
  })

  it("a bad value of the table's profile gives way to the built-in one's", () => {
    const profiles = { gpu: { max_poll_records: -1, session_timeout_ms: 120000 } }
    const resolved = profileOf({ _tag: "Row", columns: {}, table: { rule, profiles } })
    assert.deepStrictEqual(sourced(resolved, "maxPollRecords"), [1, "profile"])
    assert.deepStrictEqual(sourced(resolved, "sessionTimeoutMs"), [120000, "profile"])
    assert.match(
      ConfigIssue.message(resolved.issues[0]!),
      /^max_poll_records of the profile -1 is less than 1 .+: 1 \(profile\) is used$/
    )
  })

  it.each(["nowhere", "", 7, "__proto__", { a: 1 }])(
    "one that nobody knows is said so, and the next holds (%#)",
    (name) => {
      const resolved = profileOf({ _tag: "Row", columns: { workload_profile: name }, table: { rule, profiles: {} } })
      assert.deepStrictEqual(told(resolved), ["gpu", "rule"])
      assert.deepStrictEqual(resolved.issues, [
        { _tag: "UnknownProfile", service: "a-vision-b", profile: name, namedBy: "row", used: "gpu" }
      ])
      const byRule = profileOf({ _tag: "Row", columns: {}, table: { rule: { pattern: "%", profile: "nowhere" } } })
      assert.strictEqual(
        ConfigIssue.message(byRule.issues[0]!),
        "the workload profile \"nowhere\" of the rule \"%\" is not known: \"default\" holds"
      )
    }
  )
})

describe("Resolution: what brokers accept", () => {
  const within = (
    columns: Record<string, unknown>,
    [groupMinSessionTimeoutMs, groupMaxSessionTimeoutMs]: readonly [number, number],
    profile?: WorkloadProfile.WorkloadProfile
  ) => {
    const broker = { groupMinSessionTimeoutMs, groupMaxSessionTimeoutMs }
    const resolved = Resolution.resolve({ service: "svc", row: { _tag: "Row", columns }, broker, profile })
    assert.isTrue(accepts(resolved.config))
    return resolved
  }

  it("a session beyond the brokers' limit falls back to one within", () => {
    const resolved = within({ session_timeout_ms: 120000 }, [6000, 100000])
    assert.deepStrictEqual(sourced(resolved, "sessionTimeoutMs"), [60000, "default"])
    assert.strictEqual(
      ConfigIssue.message(resolved.issues[0]!),
      "session_timeout_ms 120000 is more than 100000 (the brokers' group.max.session.timeout.ms): 60000 (default) is used"
    )
  })

  it("a profile's session does so too", () => {
    const resolved = within({}, [6000, 200000], WorkloadProfile.profiles.gpu)
    assert.deepStrictEqual(sourced(resolved, "sessionTimeoutMs"), [60000, "default"])
    assert.deepStrictEqual(refused(resolved), ["sessionTimeoutMs: OutOfBounds"])
  })

  it("the default itself is moved to the limit, and the reason says so", () => {
    const low = within({}, [6000, 30000])
    assert.deepStrictEqual(sourced(low, "sessionTimeoutMs"), [30000, "derived"])
    assert.deepStrictEqual(sourced(low, "heartbeatIntervalMs"), [10000, "derived"])
    assert.strictEqual(
      ConfigIssue.message(low.issues[0]!),
      "the default of session_timeout_ms, 60000 is more than 30000 (the brokers' group.max.session.timeout.ms): "
        + "30000 (derived) is used"
    )
    assert.deepStrictEqual(sourced(within({}, [90000, 1800000]), "sessionTimeoutMs"), [90000, "derived"])
  })

  it("a poll interval shorter than the shortest session falls back", () => {
    const resolved = within({ max_poll_interval_ms: 50000 }, [90000, 1800000])
    assert.deepStrictEqual(sourced(resolved, "sessionTimeoutMs"), [90000, "derived"])
    assert.deepStrictEqual(sourced(resolved, "maxPollIntervalMs"), [300000, "default"])
    assert.include(refused(resolved), "maxPollIntervalMs: Contradiction")
  })

  it.each([[1, 5000], [2000000, 3000000], [-1, 1800000], [9000, 8000], [Number.NaN, 1], [6000.5, 60000]])(
    "limits %i to %i that cannot be kept are an issue, and the answer is as near as can be",
    (...limits) => {
      const resolved = within({}, limits as [number, number])
      assert.include(resolved.issues.map(({ _tag }) => _tag), "BrokerLimits")
    }
  )
})

describe("Resolution: names", () => {
  it.each(["", "   ", "a\nb", "a\u0000b", "\ud800", "x".repeat(32768), "\u00e9".repeat(16384)])(
    "a group that cannot be one falls back to the service's (%#)",
    (group) => {
      const resolved = resolve({ consumer_group_id: group })
      assert.deepStrictEqual(refused(resolved), ["consumerGroupId: BadValue"])
      assert.strictEqual(resolved.config.consumerGroupId, "svc-consumer-group")
    }
  )

  it.each(["loom vad", "'; DROP TABLE pipeline_consumer_configs; --", "x".repeat(10_000), "\u65e5\u672c", "\u{1f600}"])(
    "any other text is a group, as it stands (%#)",
    (group) => assert.deepStrictEqual(sourced(resolve({ consumer_group_id: group }), "consumerGroupId"), [group, "row"])
  )

  it.each(["", "a\u0000\n\u2028b", "\ud800", "\u{1f600}".repeat(20_000), "'; DROP TABLE x; --"])(
    "whatever the service is called, its group is a valid name (%#)",
    (service) => assert.isTrue(resolve({}, undefined, service).config.consumerGroupId.endsWith("-consumer-group"))
  )

  it("messages quote raw values and stay on one short line", () => {
    const long = resolve({ consumer_group_id: `${"x".repeat(50_000)}\n[ERROR] forged` })
    const message = ConfigIssue.message(long.issues[0]!)
    assert.isBelow(message.length, 400)
    assert.notInclude(message, "\n")
  })
})

describe("Resolution: whatever a row holds", () => {
  it("the answer is a configuration that the Schema accepts, and brokers in a JoinGroup", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        fc.tuple(columns, namedProfile).map(([row, named]) => ({ ...row, ...named })),
        profiles,
        services,
        environments,
        fc.option(limits, { nil: undefined }),
        fc.option(tables, { nil: undefined }),
        programs,
        (row, profile, service, environment, broker, table, program) => {
          const found: RowResult = { _tag: "Row", columns: row, table }
          const resolved = Resolution.resolve({ service, row: found, profile, environment, broker, ...program })
          assert.isTrue(accepts(resolved.config), Resolution.summary(resolved))
          assert.isAtLeast(resolved.config.sessionTimeoutMs, broker?.groupMinSessionTimeoutMs ?? 0)
          assert.isAtMost(resolved.config.sessionTimeoutMs, broker?.groupMaxSessionTimeoutMs ?? Infinity)
          for (const issue of resolved.issues) assert.notMatch(ConfigIssue.message(issue), /[\r\n]/)
        }
      ),
      { numRuns: 1000 }
    )
  })

  it("every value of the program is in the configuration, or refused with a reason", () => {
    fc.assert(
      fc.property(valuesOf, valuesOf, columns, (fixed, defaults, row) => {
        const resolved = Resolution.resolve({ service: "svc", row: { _tag: "Row", columns: row }, fixed, defaults })
        const refusals = resolved.issues.flatMap((issue) =>
          "setting" in issue && issue.source === "code" ? [[issue.setting, issue.raw] as const] : []
        )
        for (const key of Setting.keys) {
          const raw: unknown = fixed[key]
          if (raw === undefined || raw === null) continue
          const { source } = resolved.provenance[key]
          const isRefused = refusals.some(([setting, refused]) => setting === key && Object.is(refused, raw))
          assert.isTrue(isRefused || source === "code", key)
        }
      }),
      { numRuns: 500 }
    )
  })

  it("every value of the environment is in the configuration, or refused with its variable", () => {
    fc.assert(
      fc.property(overrides, columns, (own, row) => {
        const resolved = Resolution.resolve({
          service: "svc",
          row: { _tag: "Row", columns: row },
          environment: [own as Environment.Overrides, {}]
        })
        for (const key of Setting.keys) {
          if (own[key] === undefined) continue
          const { refused, source, variable } = resolved.provenance[key]
          if (source === "environment") assert.strictEqual(variable, key)
          else assert.deepInclude(refused, { raw: own[key].raw })
        }
      }),
      { numRuns: 500 }
    )
  })

  it("the environment's values hold as they would without a row that may contradict them", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(overrides, columns, (own, row) => {
        const environment = [own as Environment.Overrides, {}] as const
        const alone = Resolution.resolve({ service: "svc", row: { _tag: "Row", columns: {} }, environment })
        const both = Resolution.resolve({ service: "svc", row: { _tag: "Row", columns: row }, environment })
        const held = (resolved: Resolution.Resolved) =>
          Setting.keys.filter((key) => resolved.provenance[key].source === "environment").length
        assert.isAtLeast(held(both), held(alone))
      }),
      { numRuns: 500 }
    )
  })

  it("every value of a row is in the configuration, or refused with a reason", () => {
    fc.assert(
      fc.property(columns, (row) => {
        const { provenance } = resolve(row)
        for (const key of Setting.keys) {
          const raw = row[Setting.settings[key].sql]
          const { refused, source, value } = provenance[key]
          if (raw === null || raw === undefined) {
            assert.isTrue(source !== "row" && refused === undefined)
          } else if (source === "row") {
            assert.isUndefined(refused)
            // Each type that a number may arrive in is the same number.
            assert.isTrue(value === raw || typeof value === "number" && value === Number(raw) || raw === `${value}`)
          } else {
            assert.isTrue(refused !== undefined && Object.is(refused.raw, raw))
            assert.strictEqual(refused?.reason.used.value, value)
          }
        }
      }),
      { numRuns: 1000 }
    )
  })

  it("no fewer values could fall back: putting any refused one back breaks a rule", () => {
    const timing = fc.constantFrom(6000, 7000, 10000, 20000, 30000, 50000, 60000, 100000, 300000, 305000, 400000)
    const row = fc.record({
      session_timeout_ms: timing,
      max_poll_interval_ms: timing,
      heartbeat_interval_ms: timing,
      request_timeout_ms: timing,
      retry_backoff_ms: timing
    }, { requiredKeys: [] })
    fc.assert(
      fc.property(row, (columns) => {
        const resolved = resolve(columns)
        for (const key of Setting.keys) {
          if (resolved.provenance[key].refused === undefined) continue
          const kept = Object.fromEntries(
            Object.entries(columns).filter(([column]) => {
              const other = Setting.fromSql(column)!
              return other === key || resolved.provenance[other].refused === undefined
            })
          )
          assert.isNotEmpty(resolve(kept).issues)
        }
      }),
      { numRuns: 1000 }
    )
  })

  it("resolving again what was resolved changes nothing", () => {
    fc.assert(
      fc.property(columns, profiles, (row, profile) => {
        const { config } = resolve(row, profile)
        const again = resolve(Object.fromEntries(Setting.keys.map((key) => [Setting.settings[key].sql, config[key]])))
        assert.deepStrictEqual(again.config, config)
        assert.deepStrictEqual(again.issues, [])
      }),
      { numRuns: 500 }
    )
  })
})

describe("ConsumerConfig", () => {
  it("refuses each contradiction and each value out of bounds", () => {
    const { config } = resolve({})
    for (
      const change of [
        { heartbeatIntervalMs: 20001 },
        { sessionTimeoutMs: 300001 },
        { requestTimeoutMs: 300000 },
        { maxPartitionFetchBytes: 52428801 },
        { reconnectBackoffMs: 1001 },
        { maxPollRecords: 0 },
        { maxPollRecords: 1.5 },
        { consumerGroupId: " " },
        { autoOffsetReset: "never" }
      ]
    ) {
      assert.isFalse(accepts(Object.assign({}, config, change)), JSON.stringify(change))
    }
    assert.isTrue(accepts(config))
  })
})
