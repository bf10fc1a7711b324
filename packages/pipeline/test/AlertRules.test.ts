import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import type * as AlertFacts from "../src/AlertFacts.ts"
import * as AlertRules from "../src/AlertRules.ts"
import * as AlertTracker from "../src/AlertTracker.ts"

const partition = (more: Partial<AlertFacts.PartitionFacts> = {}): AlertFacts.PartitionFacts => ({
  service: "s",
  topic: "t",
  partition: 0,
  at: 0,
  lag: 0,
  lagSeconds: 0,
  offset: 5n,
  end: 5n,
  member: "m",
  status: "ok",
  ...more
})

const service = (more: Partial<AlertFacts.ServiceFacts> = {}): AlertFacts.ServiceFacts => ({
  service: "s",
  at: 0,
  processed: 1_000,
  failures: 0,
  deadLetters: 0,
  crashes: 0,
  commitFailures: 0,
  rebalances: 0,
  members: 2,
  memberSeenAt: 0,
  hasLeft: false,
  maxPollIntervalMs: 60_000,
  ...more
})

const facts = (more: Partial<AlertFacts.Facts> = {}): AlertFacts.Facts => ({
  partitions: [partition()],
  services: [service()],
  thresholds: new Map(),
  ...more
})

/** The alerts that are open once the same facts were seen for `minutes`, looked at every fifteen seconds. */
const openAfter = (seen: AlertFacts.Facts, minutes = 30) => {
  let state = AlertTracker.empty
  for (let now = 0; now <= minutes * 60_000; now += 15_000) {
    const at = { at: now }
    const shifted = {
      ...seen,
      partitions: seen.partitions.map((one) => ({ ...one, ...at })),
      services: seen.services.map((one) => ({ ...one, ...at }))
    }
    state = AlertTracker.look(state, AlertRules.read(shifted), now).state
  }
  return AlertTracker.open(state).map(({ kind, message, partition, severity }) => ({
    kind,
    message,
    partition,
    severity
  }))
}

const kinds = (seen: AlertFacts.Facts, minutes?: number) =>
  openAfter(seen, minutes).map(({ kind, severity }) => `${kind} ${severity}`)

describe("AlertRules", () => {
  it("has nothing to say of a service that is well, nor of none", () => {
    assert.deepStrictEqual(kinds(facts()), [])
    assert.deepStrictEqual(kinds(facts({ partitions: [], services: [] })), [])
  })

  it("lag: the worst partition of a topic decides, by the service's own thresholds", () => {
    const behind = [
      partition({ lag: 900 }),
      partition({ partition: 3, lag: 12_000, offset: 7n }),
      partition({ lag: 2 })
    ]
    const [alert, ...others] = openAfter(facts({ partitions: behind }))
    assert.deepStrictEqual(others, [])
    assert.deepStrictEqual(alert, {
      kind: "lag",
      message: "s is 12000 records behind on partition 3 of t (critical above 10000)",
      partition: undefined,
      severity: "critical"
    })
    assert.deepStrictEqual(kinds(facts({ partitions: [partition({ lag: 1_000 })] })), [])
    assert.deepStrictEqual(kinds(facts({ partitions: [partition({ lag: 1_001 })] })), ["lag warning"])
    const own = new Map([["s", { warningLag: 5, criticalLag: 20_000 }]])
    assert.deepStrictEqual(kinds(facts({ partitions: behind, thresholds: own })), ["lag warning"])
    const never = new Map([["s", {}]])
    assert.deepStrictEqual(kinds(facts({ partitions: behind, thresholds: never })), [])
  })

  it("lag-seconds: a small lag that is old", () => {
    const [alert] = openAfter(facts({ partitions: [partition({ lag: 3, lagSeconds: 3_000 })] }))
    assert.deepStrictEqual([alert?.kind, alert?.severity, alert?.message], [
      "lag-seconds",
      "critical",
      "s is 50 min behind on partition 0 of t, 3 records (critical above 30 min)"
    ])
    assert.deepStrictEqual(kinds(facts({ partitions: [partition({ lag: 3, lagSeconds: undefined })] })), [])
  })

  it("no progress is told of each partition, once the service's own limit has passed", () => {
    for (const status of ["stuck", "stall"] as const) {
      const partitions = [partition(), partition({ partition: 1, status }), partition({ partition: 2, status })]
      assert.deepStrictEqual(kinds(facts({ partitions }), 0.75), [])
      assert.deepStrictEqual(
        openAfter(facts({ partitions }), 1.25).map(({ kind, partition, severity }) => [kind, partition, severity]),
        [[status, 1, "critical"], [status, 2, "critical"]]
      )
      // Nothing is known of the service but the lag: the default of max_poll_interval_ms holds.
      assert.deepStrictEqual(kinds(facts({ partitions, services: [] }), 4.5), [])
      assert.lengthOf(kinds(facts({ partitions, services: [] }), 5.5), 2)
    }
  })

  it("stop, halted and rewind are told sooner; slow, paused and back-pressured only by their lag", () => {
    const of = (status: AlertFacts.PartitionFacts["status"]) => kinds(facts({ partitions: [partition({ status })] }), 2)
    assert.deepStrictEqual(of("stop"), ["stop critical"])
    assert.deepStrictEqual(of("halted"), ["halted critical"])
    assert.deepStrictEqual(of("rewind"), ["rewind warning"])
    for (const status of ["ok", "slow", "paused", "back-pressured"] as const) assert.deepStrictEqual(of(status), [])
  })

  it("failing and dead-letters are shares of enough records", () => {
    const of = (more: Partial<AlertFacts.ServiceFacts>) => kinds(facts({ services: [service(more)] }))
    assert.deepStrictEqual(of({ processed: 95, failures: 5 }), [])
    assert.deepStrictEqual(of({ processed: 90, failures: 10 }), ["failing warning"])
    assert.deepStrictEqual(of({ processed: 10, failures: 90 }), ["failing critical"])
    assert.deepStrictEqual(of({ processed: 1, failures: 3 }), [])
    assert.deepStrictEqual(of({ processed: 100, deadLetters: 2 }), ["dead-letters warning"])
    assert.deepStrictEqual(of({ processed: 100, deadLetters: 20 }), ["dead-letters critical"])
    assert.deepStrictEqual(of({ processed: 3, deadLetters: 3 }), [])
  })

  it("a service that fell idle is not failing any more", () => {
    const [idle] = AlertRules.read(facts({ services: [service({ processed: 0 })] }))
      .filter(({ kind }) => kind === "failing")
    assert.strictEqual(idle?.value, 0)
  })

  it("crashes, failed commits and rebalances are counted", () => {
    const of = (more: Partial<AlertFacts.ServiceFacts>) => kinds(facts({ services: [service(more)] }))
    assert.deepStrictEqual(of({ crashes: 2, commitFailures: 2, rebalances: 9 }), [])
    assert.deepStrictEqual(of({ crashes: 3, commitFailures: 3, rebalances: 10 }), [
      "crashing warning",
      "commits-failing warning",
      "rebalancing warning"
    ])
    assert.deepStrictEqual(of({ crashes: 10, commitFailures: 20, rebalances: 30 }), [
      "crashing critical",
      "commits-failing critical",
      "rebalancing critical"
    ])
  })

  it("no-members: a warning, critical with a lag, and nothing where they left in order or do not report", () => {
    const gone = { members: 0, at: 600_000, memberSeenAt: 0 }
    const behind = [partition({ lag: 10 })]
    const of = (more: Partial<AlertFacts.ServiceFacts>, partitions: ReadonlyArray<AlertFacts.PartitionFacts> = []) =>
      kinds(facts({ services: [service(more)], partitions }))
    assert.deepStrictEqual(of(gone), ["no-members warning"])
    assert.deepStrictEqual(of(gone, behind), ["no-members critical"])
    assert.deepStrictEqual(of({ ...gone, hasLeft: true }), [])
    assert.deepStrictEqual(of({ ...gone, hasLeft: true }, behind), ["no-members critical"])
    assert.deepStrictEqual(of({ ...gone, members: undefined }, behind), [])
  })

  it("every rule says what it sees and what to do, under a name of its own", () => {
    const names = AlertRules.rules.map(({ kind }) => kind)
    assert.strictEqual(new Set(names).size, names.length)
    for (const { advice, kind, sees } of AlertRules.rules) {
      assert.match(sees, /\.$/)
      assert.strictEqual(AlertRules.adviceOf(kind), advice)
    }
    assert.isUndefined(AlertRules.adviceOf("none"))
  })

  it("judges ten thousand partitions in a moment", () => {
    const partitions = Array.from({ length: 10_000 }, (_, i) => partition({ partition: i, status: "halted", lag: 5 }))
    const seen = facts({ partitions })
    const begin = performance.now()
    assert.lengthOf(openAfter(seen, 0.25), 10_000)
    // Two looks; a busy machine is given fifty times what one takes.
    assert.isBelow((performance.now() - begin) / 2, 5_000)
  })
})

describe("docs/monitoring.md", () => {
  it("has a line for each rule, with what it sees and what to do", () => {
    const text = readFileSync(new URL("../../../docs/monitoring.md", import.meta.url), "utf8")
    const missing = AlertRules.rules.map(({ advice, kind, sees }) => `| \`${kind}\` | ${sees} | ${advice} |`)
      .filter((line) => !text.includes(line))
    assert.deepStrictEqual(missing, [])
  })
})
