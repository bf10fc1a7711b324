import { createTestCluster, createOptimizedConsumer, toKafkaJs, toPlatformatic } from "@weft/promise"
import type { ConsumerSettings } from "@weft/promise/ConsumerConfig"
import { Kafka, logLevel } from "kafkajs"
import { hostname } from "node:os"
import { assert, beforeAll, describe, it } from "vitest"

let defaults: ConsumerSettings

beforeAll(async () => {
  await using cluster = await createTestCluster()
  await using consumer = await createOptimizedConsumer({
    connection: cluster.connection,
    service: "s",
    topics: ["t"],
    logger: false
  })
  defaults = consumer.config
})

const names = (unsupported: ReadonlyArray<{ readonly setting: string }>) => unsupported.map(({ setting }) => setting)

describe("toKafkaJs", () => {
  it("gives options that kafkajs takes as they are", () => {
    const { consumer, kafka, run, subscribe, unsupported } = toKafkaJs(defaults)
    const client = new Kafka({ brokers: ["localhost:9092"], logLevel: logLevel.NOTHING, ...kafka })
    assert.isFunction(client.consumer(consumer).run)
    assert.deepStrictEqual(kafka, { requestTimeout: 305_000 })
    assert.deepStrictEqual(consumer, {
      groupId: "s-consumer-group",
      sessionTimeout: 60_000,
      rebalanceTimeout: 300_000,
      heartbeatInterval: 20_000,
      minBytes: 1,
      maxBytes: 52_428_800,
      maxBytesPerPartition: 1_048_576,
      maxWaitTimeInMs: 500,
      readUncommitted: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1000 }
    })
    assert.deepStrictEqual([subscribe, run], [{ fromBeginning: true }, { autoCommit: false, autoCommitInterval: null }])
    assert.deepStrictEqual(names(unsupported), [
      "maxPollRecords",
      "maxPollIntervalMs",
      "partitionAssignmentStrategy",
      "reconnectBackoffMs",
      "connectionsMaxIdleMs",
      "bufferMaxBytes",
      "queueMaxRecords",
      "queueMaxBytes",
      "metricsIntervalMs"
    ])
  })

  it("lists what it cannot do only where it is asked for", () => {
    const { run, unsupported } = toKafkaJs({
      ...defaults,
      partitionAssignmentStrategy: "roundrobin",
      autoOffsetReset: "none",
      enableAutoCommit: true
    })
    assert.deepStrictEqual(run, { autoCommit: true, autoCommitInterval: 5_000 })
    assert.include(names(unsupported), "autoOffsetReset")
    assert.include(names(unsupported), "enableAutoCommit")
    assert.notInclude(names(unsupported), "partitionAssignmentStrategy")
  })

  it("a first pause longer than the longest one stays what it is", () => {
    assert.deepStrictEqual(toKafkaJs({ ...defaults, retryBackoffMs: 5_000 }).consumer.retry, {
      initialRetryTime: 5_000,
      maxRetryTime: 5_000
    })
  })
})

describe("toPlatformatic", () => {
  it("gives its options", () => {
    const { consume, consumer, unsupported } = toPlatformatic({ ...defaults, autoOffsetReset: "none" })
    assert.deepStrictEqual(consume, { mode: "committed", fallbackMode: "fail" })
    assert.deepStrictEqual(consumer, {
      groupId: "s-consumer-group",
      sessionTimeout: 60_000,
      rebalanceTimeout: 300_000,
      heartbeatInterval: 20_000,
      minBytes: 1,
      maxBytes: 52_428_800,
      maxBytesPerPartition: 1_048_576,
      maxWaitTime: 500,
      isolationLevel: 1,
      autocommit: false,
      requestTimeout: 305_000,
      retryDelay: 100
    })
    assert.notInclude(names(unsupported), "autoOffsetReset")
    const cooperative = toPlatformatic({ ...defaults, partitionAssignmentStrategy: "cooperative-sticky" })
    assert.deepStrictEqual(cooperative.consumer.protocols, [{ name: "cooperative-sticky", version: 1 }])
    assert.notInclude(names(cooperative.unsupported), "partitionAssignmentStrategy")
  })

  it("in the group protocol of KIP-848, leaves to the broker what is the broker's", () => {
    const { consumer, unsupported } = toPlatformatic({
      ...defaults,
      groupProtocol: "consumer",
      groupInstanceId: "s-{hostname}"
    })
    const { groupInstanceId, groupProtocol, groupRemoteAssignor } = consumer
    assert.deepStrictEqual([groupProtocol, groupRemoteAssignor, groupInstanceId], [
      "consumer",
      "range",
      `s-${hostname()}`
    ])
    assert.notProperty(consumer, "sessionTimeout")
    assert.notProperty(consumer, "heartbeatInterval")
    assert.includeMembers([...names(unsupported)], ["sessionTimeoutMs", "heartbeatIntervalMs"])
  })
})

describe("every setting", () => {
  it.each([["kafkajs", toKafkaJs], ["@platformatic/kafka", toPlatformatic]] as const)(
    "is either applied or listed: %s",
    (_, convert) => {
      const told = new Set<string>()
      const changed: Record<keyof ConsumerSettings, unknown> = {
        consumerGroupId: "other",
        groupProtocol: "consumer",
        groupInstanceId: "one",
        maxPollRecords: 7,
        sessionTimeoutMs: 7_000,
        maxPollIntervalMs: 7_001,
        heartbeatIntervalMs: 701,
        partitionAssignmentStrategy: "sticky",
        enableAutoCommit: true,
        autoCommitIntervalMs: 702,
        autoOffsetReset: "latest",
        fetchMinBytes: 703,
        fetchMaxWaitMs: 704,
        fetchMaxBytes: 7_005,
        maxPartitionFetchBytes: 7_006,
        requestTimeoutMs: 7_007,
        retryBackoffMs: 708,
        reconnectBackoffMs: 709,
        reconnectBackoffMaxMs: 7_010,
        connectionsMaxIdleMs: 7_011,
        isolationLevel: "read_uncommitted",
        processingOrder: "key",
        concurrency: 7,
        maxInFlight: 7_012,
        queueMaxRecords: 7_013,
        queueMaxBytes: 7_014,
        bufferMaxBytes: 7_015,
        metricsIntervalMs: 7_016
      }
      const base = JSON.stringify(convert({ ...defaults, enableAutoCommit: true }))
      for (const [name, value] of Object.entries(changed)) {
        // With commits on the clock, so that their interval has an effect.
        const settings = {
          ...defaults,
          enableAutoCommit: name !== "enableAutoCommit",
          [name]: name === "enableAutoCommit" ? false : value
        }
        if (JSON.stringify(convert(settings as ConsumerSettings)) !== base) told.add(name)
      }
      assert.deepStrictEqual([...told].sort(), Object.keys(changed).sort())
    }
  )
})
