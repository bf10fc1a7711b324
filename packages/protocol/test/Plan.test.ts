import { assert, describe, it } from "@effect/vitest"
import * as Settings from "@weft/kafka/ConsumerSettings"
import * as Result from "effect/Result"
import { consumerPlan, fates, producerPlan } from "../src/Plan.ts"

const settings = Settings.make({
  groupId: "g",
  sessionTimeoutMs: 101,
  maxPollIntervalMs: 102,
  heartbeatIntervalMs: 33,
  partitionAssignmentStrategy: "roundrobin",
  fetchMinBytes: 104,
  fetchMaxWaitMs: 105,
  fetchMaxBytes: 106,
  maxPartitionFetchBytes: 107,
  requestTimeoutMs: 108,
  retryBackoffMs: 109,
  reconnectBackoffMs: 110,
  reconnectBackoffMaxMs: 111,
  metadataMaxAgeMs: 112,
  isolationLevel: "read_uncommitted",
  clientId: "own"
})

const planOf = (over: Partial<Settings.ConsumerSettings> = {}, clientId?: string) =>
  Result.getOrThrow(consumerPlan({ ...settings, ...over }, { clientId }))

describe("Plan", () => {
  it("every setting of a consumer is applied, applied otherwise with a warning, or the business of the layer above", () => {
    assert.deepStrictEqual(Object.keys(fates).filter((name) => !(name in { ...settings, ...optional })), [])
    assert.deepStrictEqual(Object.keys(Settings.defaults).filter((name) => !(name in fates)), [])
  })
  const optional = {
    groupInstanceId: "one",
    drainTimeoutMs: 1,
    queueMaxRecords: 1,
    queueMaxBytes: 1,
    bufferMaxBytes: 1,
    inFlightMaxBytes: 1,
    stallPolicy: "halt"
  }

  it("a change of any applied setting changes the plan", () => {
    const before = JSON.stringify(planOf())
    for (const [name, fate] of Object.entries(fates)) {
      if (fate !== "applied") continue
      const value = settings[name as keyof Settings.ConsumerSettings]
      const other = name === "isolationLevel" ? "read_committed" : typeof value === "number" ? value + 1 : `${value}x`
      assert.notStrictEqual(JSON.stringify(planOf({ [name]: other })), before, name)
    }
  })

  it("where each goes", () => {
    assert.deepStrictEqual(planOf(), {
      client: {
        clientId: "own",
        requestTimeoutMs: 108,
        metadataMaxAgeMs: 112,
        reconnectBackoffMs: 110,
        reconnectBackoffMaxMs: 111,
        retryBackoffMs: 109
      },
      group: {
        groupId: "g",
        protocol: "classic",
        instanceId: undefined,
        sessionTimeoutMs: 101,
        rebalanceTimeoutMs: 102,
        heartbeatIntervalMs: 33,
        strategy: "roundrobin"
      },
      fetch: { minBytes: 104, maxWaitMs: 105, maxBytes: 106, partitionMaxBytes: 107, isolationLevel: 0 },
      warnings: []
    })
  })

  it("cooperative-sticky becomes sticky, and says so", () => {
    const { group, warnings } = planOf({ partitionAssignmentStrategy: "cooperative-sticky" })
    assert.strictEqual(group.strategy, "sticky")
    assert.deepStrictEqual(warnings.map(({ setting, value }) => [setting, value]), [
      ["partitionAssignmentStrategy", "cooperative-sticky"]
    ])
    assert.match(warnings[0]!.instead, /^sticky/)
  })

  it("under the protocol of KIP-848, what the broker decides is warned of, and nothing else", () => {
    const warned = (over: Partial<Settings.ConsumerSettings>) => {
      const plan = Result.getOrThrow(
        consumerPlan(Settings.make({ groupId: "g", groupProtocol: "consumer", ...over }), {})
      )
      assert.strictEqual(plan.group.protocol, "consumer")
      return plan.warnings.map(({ setting }) => setting)
    }
    assert.deepStrictEqual(warned({ partitionAssignmentStrategy: "cooperative-sticky" }), [])
    assert.deepStrictEqual(warned({ partitionAssignmentStrategy: "range" }), [])
    assert.deepStrictEqual(
      warned({ partitionAssignmentStrategy: "roundrobin", sessionTimeoutMs: 10_000, heartbeatIntervalMs: 100 }),
      ["partitionAssignmentStrategy", "sessionTimeoutMs", "heartbeatIntervalMs"]
    )
  })

  it("what a library lacks is done without, and says so where it was asked for", () => {
    const planned = (over: Partial<Settings.ConsumerSettings>) => {
      const { group, warnings } = Result.getOrThrow(
        consumerPlan({ ...settings, ...over }, { lacks: ["groupProtocol", "groupInstanceId"] })
      )
      return [group.protocol, group.instanceId, ...warnings.map(({ instead, setting }) => `${setting}: ${instead}`)]
    }
    assert.deepStrictEqual(planned({}), ["classic", undefined])
    const [protocol, instanceId, ...warned] = planned({ groupProtocol: "consumer", groupInstanceId: "one" })
    assert.deepStrictEqual([protocol, instanceId, warned.length], ["classic", undefined, 2])
    assert.match(String(warned[0]), /^groupProtocol: classic/)
    assert.match(String(warned[1]), /^groupInstanceId: a member that is not static/)
    assert.strictEqual(planOf({ groupInstanceId: "one" }).group.instanceId, "one")
  })

  it("connections_max_idle_ms is not applied, and says so where it was asked for", () => {
    assert.deepStrictEqual(planOf({ connectionsMaxIdleMs: 1000 }).warnings.map(({ setting }) => setting), [
      "connectionsMaxIdleMs"
    ])
  })

  it("the consumer's own client id comes before the connection's, and that before the default", () => {
    assert.strictEqual(planOf({}, "connection").client.clientId, "own")
    assert.strictEqual(planOf({ clientId: "weft" }, "connection").client.clientId, "connection")
    assert.strictEqual(planOf({ clientId: "weft" }).client.clientId, "weft")
  })

  it("what cannot work is refused with the setting's name", () => {
    const refused = (over: Partial<Settings.ConsumerSettings>) =>
      Result.isFailure(consumerPlan({ ...settings, ...over }, {}))
        ? Result.getOrThrow(Result.flip(consumerPlan({ ...settings, ...over }, {}))).setting
        : undefined
    assert.strictEqual(refused({ heartbeatIntervalMs: 101 }), "heartbeat_interval_ms")
    assert.strictEqual(refused({ groupId: "" }), "group_id")
    const producer = {
      clientId: "p",
      acks: 1,
      enableIdempotence: true,
      compressionType: "none",
      requestTimeoutMs: 1,
      retryBackoffMs: 1,
      deliveryTimeoutMs: 1
    } as const
    assert.isTrue(Result.isFailure(producerPlan(producer, {})))
    assert.isTrue(Result.isSuccess(producerPlan({ ...producer, enableIdempotence: false }, {})))
  })
})
