import {
  BatchRecordError,
  ConsumerStateError,
  createOptimizedConsumer,
  createTestCluster,
  DecodeError,
  Decoder,
  HaltedError,
  InvalidOptionError,
  KafkaFailedError,
  type OptimizedConsumer
} from "@weft/promise"
import type { ConsumerOptions } from "@weft/promise/ConsumerOptions"
import type { TestCluster } from "@weft/promise/TestCluster"
import { setTimeout as sleep } from "node:timers/promises"
import { assert, describe, it } from "vitest"

const group = "orders-service-consumer-group"

/** A topic `orders` with so many records, numbered from 0, over the partitions in turn. */
const clusterWith = async (records: number, partitions = 1): Promise<TestCluster> => {
  const cluster = await createTestCluster({ topics: { orders: partitions }, minSessionTimeoutMs: 200 })
  await cluster.append(
    "orders",
    Array.from({ length: records }, (_, id) => ({
      partition: id % partitions,
      key: `key-${id}`,
      value: JSON.stringify({ id })
    }))
  )
  return cluster
}

interface Order {
  readonly id: number
}

const make = (
  cluster: TestCluster,
  options: Partial<ConsumerOptions<Order, string>> = {}
): Promise<OptimizedConsumer<Order>> =>
  createOptimizedConsumer<Order>({
    connection: cluster.connection,
    service: "orders-service",
    topics: ["orders"],
    logger: false,
    stopOn: false,
    ...options
  })

const until = async (what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 5_000; i++) {
    if (await isTrue()) return
    await sleep(10)
  }
  assert.fail(`it never came to ${what}`)
}

const committed = async (cluster: TestCluster): Promise<ReadonlyArray<number>> =>
  (await cluster.committed(group)).toSorted((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset))

const rejected = async <E>(promise: Promise<unknown>, kind: abstract new(...args: Array<never>) => E): Promise<E> => {
  const error: unknown = await promise.then(() => assert.fail("it did not reject"), (error: unknown) => error)
  assert.isTrue(error instanceof kind, String(error))
  return error as E
}

describe("run", () => {
  it("handles every record, in order per partition, and commits what is settled", async () => {
    await using cluster = await clusterWith(200, 4)
    const consumer = await make(cluster)
    const seen: Array<[number, number]> = []
    const running = consumer.run({
      eachRecord: async (record) => {
        await sleep(record.partition)
        seen.push([record.partition, record.value.id])
      }
    })
    await until("200 records", () => seen.length === 200)
    await consumer.close()
    await running
    for (let partition = 0; partition < 4; partition++) {
      const ids = seen.flatMap(([of, id]) => of === partition ? [id] : [])
      assert.deepStrictEqual(ids, Array.from({ length: 50 }, (_, i) => i * 4 + partition))
    }
    assert.deepStrictEqual(await committed(cluster), [50, 50, 50, 50])
  })

  it("gives a record with key, value, headers, time and attempt", async () => {
    await using cluster = await createTestCluster({ topics: { orders: 1 } })
    await cluster.append("orders", [{
      key: "k",
      value: "{\"id\":7}",
      timestamp: 1234,
      headers: [{ name: "trace", value: new TextEncoder().encode("t1") }]
    }])
    const consumer = await make(cluster)
    const seen: Array<unknown> = []
    const running = consumer.run({
      eachRecord: (record) => {
        const { attempt, key, offset, partition, timestamp, topic, value } = record
        seen.push({ topic, partition, offset, key, value, timestamp, attempt, trace: record.header("trace") })
        assert.strictEqual(String(record), "orders-0@0")
        void consumer.close()
      }
    })
    await running
    assert.deepStrictEqual(seen, [
      {
        topic: "orders",
        partition: 0,
        offset: 0n,
        key: "k",
        value: { id: 7 },
        timestamp: 1234,
        attempt: 1,
        trace: "t1"
      }
    ])
  })

  it("ends in order when its signal is aborted: what is in flight is finished and committed", async () => {
    // Many more than can be handled until it has stopped, however late its timers come.
    await using cluster = await clusterWith(1_000)
    const consumer = await make(cluster)
    const abort = new AbortController()
    let finished = 0
    const running = consumer.run({
      signal: abort.signal,
      eachRecord: async () => {
        if (finished === 2) abort.abort()
        await sleep(50)
        finished++
      }
    })
    await running
    assert.isBelow(finished, 1_000)
    assert.deepStrictEqual(await committed(cluster), [finished])
    assert.deepStrictEqual(consumer.health.ready, false)
  })

  it("does nothing with a signal that was aborted before", async () => {
    await using cluster = await clusterWith(1)
    const consumer = await make(cluster)
    await consumer.run({ signal: AbortSignal.abort(), eachRecord: () => assert.fail("it ran") })
    assert.deepStrictEqual(await committed(cluster), [])
  })

  it("ends in order at SIGTERM, and leaves later signals alone", async () => {
    await using cluster = await clusterWith(3)
    const before = process.listenerCount("SIGTERM")
    const consumer = await make(cluster, { stopOn: ["SIGTERM"] })
    let finished = 0
    const running = consumer.run({
      eachRecord: async () => {
        await sleep(20)
        finished++
      }
    })
    await until("the first record", () => finished > 0)
    assert.strictEqual(process.listenerCount("SIGTERM"), before + 1)
    process.emit("SIGTERM")
    await running
    assert.strictEqual(process.listenerCount("SIGTERM"), before)
    assert.deepStrictEqual(await committed(cluster), [finished])
  })

  it("waits for nobody when close is called from inside of a handler", async () => {
    await using cluster = await clusterWith(5)
    const consumer = await make(cluster)
    let done = 0
    await consumer.run({
      eachRecord: async () => {
        await consumer.close()
        done++
      }
    })
    assert.isAtLeast(done, 1)
    assert.deepStrictEqual(await committed(cluster), [done])
  })

  it("aborts the signal of a handler that outlives the drain deadline; its record comes again", async () => {
    await using cluster = await clusterWith(1)
    const consumer = await make(cluster, { drainTimeoutMs: 50 })
    let aborted = false
    const running = consumer.run({
      eachRecord: async (_, { signal }) => {
        void consumer.close()
        await sleep(10_000, undefined, { signal }).catch(() => {
          aborted = true
        })
      }
    })
    await running
    assert.isTrue(aborted)
    assert.deepStrictEqual(await committed(cluster), [])
  })

  it("can be run once, and not after it was closed", async () => {
    await using cluster = await clusterWith(0)
    const consumer = await make(cluster)
    const running = consumer.run({ eachRecord: () => undefined })
    assert.strictEqual(
      (await rejected(consumer.run({ eachRecord: () => undefined }), ConsumerStateError)).code,
      "ALREADY_RUNNING"
    )
    await consumer.close()
    await running
    const closed = await rejected(consumer.run({ eachRecord: () => undefined }), ConsumerStateError)
    assert.strictEqual(closed.code, "CLOSED")
    assert.strictEqual((await rejected(consumer.send("orders", "x"), ConsumerStateError)).code, "CLOSED")
  })

  it("goes on after the client library has crashed, and loses nothing", async () => {
    await using cluster = await clusterWith(100, 2)
    const consumer = await make(cluster, { settings: { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 100 } })
    const crashes: Array<string> = []
    consumer.on("crashed", ({ error }) => {
      assert.instanceOf(error, KafkaFailedError)
      crashes.push(error.code)
    })
    const seen = new Set<number>()
    let hasCrashed = false
    const running = consumer.run({
      eachRecord: async (record) => {
        await sleep(1)
        seen.add(record.value.id)
        // Once: the same record may come again.
        if (seen.size < 20 || hasCrashed) return
        hasCrashed = true
        await cluster.crash(group)
      }
    })
    await until("all records", () => seen.size === 100)
    await consumer.close()
    await running
    assert.deepStrictEqual(crashes, ["CLIENT_FAILED"])
    assert.deepStrictEqual(await committed(cluster), [50, 50])
  })

  it("fails with a code where a person must mend something", async () => {
    await using cluster = await clusterWith(1)
    const consumer = await make(cluster, { settings: { autoOffsetReset: "none" } })
    const error = await rejected(consumer.run({ eachRecord: () => undefined }), KafkaFailedError)
    assert.deepStrictEqual([error.code, error.retriable], ["NO_OFFSET", false])
    assert.isFalse(consumer.health.live)
  })
})

describe("eachBatch", () => {
  it("hands over records of one partition together", async () => {
    await using cluster = await clusterWith(100, 2)
    const consumer = await make(cluster, { batch: { size: 20, windowMs: 10 } })
    const sizes: Array<number> = []
    const running = consumer.run({
      eachBatch: (records) => {
        assert.strictEqual(new Set(records.map(({ partition }) => partition)).size, 1)
        sizes.push(records.length)
      }
    })
    await until("100 records", () => sizes.reduce((a, b) => a + b, 0) === 100)
    await consumer.close()
    await running
    assert.isAtMost(Math.max(...sizes), 20)
    assert.deepStrictEqual(await committed(cluster), [50, 50])
  })

  it("settles those before the record that failed, and goes on after it", async () => {
    await using cluster = await clusterWith(6)
    const consumer = await make(cluster, { batch: { size: 6 }, onFailure: { RangeError: "dead-letter" } })
    const batches: Array<ReadonlyArray<number>> = []
    const running = consumer.run({
      eachBatch: (records) => {
        batches.push(records.map(({ value }) => value.id))
        const bad = records.findIndex(({ value }) => value.id === 2)
        if (bad >= 0) throw new BatchRecordError(bad, new RangeError("two is too much"))
      }
    })
    await until("all settled", async () => (await committed(cluster))[0] === 6)
    await consumer.close()
    await running
    assert.deepStrictEqual(batches, [[0, 1, 2, 3, 4, 5], [3, 4, 5]])
    assert.lengthOf(await cluster.records("orders.dlq"), 1)
  })
})

describe("failures", () => {
  it("are tried again, with the number of the attempt, and settled when one succeeds", async () => {
    await using cluster = await clusterWith(3)
    const consumer = await make(cluster, { settings: { retryBackoffMs: 1 } })
    const attempts: Array<[number, number]> = []
    const running = consumer.run({
      eachRecord: async ({ attempt, value }) => {
        attempts.push([value.id, attempt])
        if (value.id === 1 && attempt < 3) throw new Error("not yet")
        await Promise.resolve()
      }
    })
    await until("three settled", () => consumer.totals.processed === 3)
    await consumer.close()
    await running
    assert.deepStrictEqual(attempts, [[0, 1], [1, 1], [1, 2], [1, 3], [2, 1]])
    assert.deepStrictEqual([consumer.totals.failures, consumer.totals.retries], [2, 2])
  })

  it("have policies by the name of the error: skipped, dead-lettered with what was thrown, or the end", async () => {
    await using cluster = await clusterWith(4)
    class Forbidden extends Error {
      override readonly name = "Forbidden"
    }
    const consumer = await make(cluster, {
      onFailure: { Forbidden: "skip", TypeError: { attempts: 2, finally: "dead-letter" }, otherwise: "halt" },
      settings: { retryBackoffMs: 1 }
    })
    const running = consumer.run({
      eachRecord: ({ value }) => {
        if (value.id === 0) throw new Forbidden("no")
        if (value.id === 1) throw new TypeError("odd")
        if (value.id === 3) throw new Error("enough")
      }
    })
    const error = await rejected(running, HaltedError)
    assert.deepStrictEqual(
      [error.code, error.topic, error.partition, error.offset, error.attempts, (error.cause as Error).message],
      ["HALTED", "orders", 0, 3n, 1, "enough"]
    )
    assert.deepStrictEqual(await committed(cluster), [3])
    const [letter, ...others] = await cluster.records("orders.dlq")
    assert.lengthOf(others, 0)
    const header = (name: string) =>
      Buffer.from(letter!.headers.find((one) => one.name === name)?.value ?? []).toString()
    assert.strictEqual(header("kafka_dlt-exception-fqcn"), "TypeError")
    assert.strictEqual(header("kafka_dlt-exception-message"), "odd")
    assert.include(header("kafka_dlt-exception-stacktrace"), "OptimizedConsumer.test.ts")
    assert.strictEqual(Buffer.from(letter!.value!).toString(), "{\"id\":1}")
  })

  it("of decoding, and tombstones, go to the dead-letter topic at once", async () => {
    await using cluster = await createTestCluster({ topics: { orders: 1 } })
    await cluster.append("orders", [{ value: "{" }, { key: "a", value: null }, { value: "{\"id\":1}" }])
    const consumer = await make(cluster)
    const seen: Array<number> = []
    const running = consumer.run({ eachRecord: ({ value }) => seen.push(value.id) })
    await until("all settled", async () => (await committed(cluster))[0] === 3)
    await consumer.close()
    await running
    assert.deepStrictEqual(seen, [1])
    assert.lengthOf(await cluster.records("orders.dlq"), 2)
  })

  it("of decoding can be the end; the cause says what was wrong", async () => {
    await using cluster = await createTestCluster({ topics: { orders: 1 } })
    await cluster.append("orders", [{ value: "{" }])
    const consumer = await make(cluster, { onFailure: { DecodeError: "halt" } })
    const { cause } = await rejected(consumer.run({ eachRecord: () => undefined }), HaltedError)
    assert.instanceOf(cause, DecodeError)
    assert.instanceOf((cause as DecodeError).cause, SyntaxError)
  })

  it("a handler may throw what is no error", async () => {
    await using cluster = await clusterWith(1)
    const consumer = await make(cluster, { onFailure: { otherwise: "halt" } })
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors, typescript/only-throw-error -- that is the point
    const error = await rejected(consumer.run({ eachRecord: () => Promise.reject("words") }), HaltedError)
    assert.strictEqual(error.cause, "words")
  })
})

describe("for await", () => {
  it("settles a record when the loop asks for the next one", async () => {
    await using cluster = await clusterWith(10)
    const consumer = await make(cluster)
    const ids: Array<number> = []
    for await (const record of consumer) {
      ids.push(record.value.id)
      if (record.value.id === 4) {
        await until("four are committed", async () => (await committed(cluster))[0] === 4)
      }
      if (record.value.id === 6) break
    }
    assert.deepStrictEqual(ids, [0, 1, 2, 3, 4, 5, 6])
    // The record at hand when the loop was left comes again.
    assert.deepStrictEqual(await committed(cluster), [6])
  })

  it("commits at once where the loop says so, so that leaving it repeats nothing", async () => {
    await using cluster = await clusterWith(3)
    const consumer = await make(cluster)
    for await (const record of consumer) {
      await record.commit()
      assert.deepStrictEqual(await committed(cluster), [record.value.id + 1])
      if (record.value.id === 1) break
    }
    assert.deepStrictEqual(await committed(cluster), [2])
  })

  it("closes the consumer when the loop throws, and the record comes again", async () => {
    await using cluster = await clusterWith(3)
    const loop = async () => {
      for await (const record of await make(cluster)) {
        if (record.value.id === 1) throw new Error("out")
      }
    }
    assert.strictEqual((await rejected(loop(), Error)).message, "out")
    assert.deepStrictEqual(await committed(cluster), [1])
  })

  it("hands rejected records to the failure policies, and goes on", async () => {
    await using cluster = await clusterWith(3)
    const consumer = await make(cluster, { onFailure: { RangeError: "dead-letter" } })
    for await (const record of consumer) {
      if (record.value.id === 1) await record.reject(new RangeError("one"))
      if (record.value.id === 2) {
        await record.commit()
        break
      }
    }
    assert.deepStrictEqual(await committed(cluster), [3])
    assert.lengthOf(await cluster.records("orders.dlq"), 1)
  })

  it("ends when the consumer is closed; the record at hand is waited for", async () => {
    await using cluster = await clusterWith(5)
    const consumer = await make(cluster)
    let closing: Promise<void> | undefined
    const ids: Array<number> = []
    for await (const record of consumer) {
      ids.push(record.value.id)
      if (record.value.id === 2) {
        closing = consumer.close()
        await sleep(50)
      }
    }
    await closing
    assert.deepStrictEqual(ids, [0, 1, 2])
    assert.deepStrictEqual(await committed(cluster), [3])
  })

  it("fails with the error that ended the consumer", async () => {
    await using cluster = await clusterWith(1)
    const consumer = await make(cluster, { settings: { autoOffsetReset: "none" } })
    const loop = async () => {
      for await (const record of consumer) assert.fail(String(record))
    }
    assert.strictEqual((await rejected(loop(), KafkaFailedError)).code, "NO_OFFSET")
  })

  it("with manual commits holds many records, settled in any order; nothing is committed past one that is open", async () => {
    await using cluster = await clusterWith(20, 2)
    const consumer = await make(cluster, { maxInFlight: 8, drainTimeoutMs: 50 })
    const open = new Map<number, () => Promise<void>>()
    let most = 0
    let seen = 0
    for await (const record of consumer.records({ commit: "manual" })) {
      open.set(record.value.id, () => record.commit())
      most = Math.max(most, open.size)
      seen++
      if (open.size === 4) {
        // The newest first; record 0 stays open until the end.
        for (const [id, commit] of [...open].reverse()) {
          if (id !== 0) {
            void commit()
            open.delete(id)
          }
        }
        await sleep(5)
        assert.isAtMost((await committed(cluster))[0] ?? 0, 0)
      }
      if (seen === 20) break
    }
    assert.isAtMost(most, 8)
    assert.isTrue(open.has(0))
    assert.deepStrictEqual((await committed(cluster)).at(0) ?? 0, 0)
  })

  it("with manual commits keeps the order of each partition", async () => {
    await using cluster = await clusterWith(300, 3)
    const consumer = await make(cluster)
    const seen: Array<[number, number]> = []
    for await (const record of consumer.records({ commit: "manual" })) {
      seen.push([record.partition, record.value.id])
      void record.commit()
      if (seen.length === 300) {
        await record.commit()
        break
      }
    }
    for (let partition = 0; partition < 3; partition++) {
      const ids = seen.flatMap(([of, id]) => of === partition ? [id] : [])
      assert.deepStrictEqual(ids, ids.toSorted((a, b) => a - b))
    }
    assert.deepStrictEqual(await committed(cluster), [100, 100, 100])
  })
})

describe("send", () => {
  it("writes text, bytes, tombstones and JSON, and answers where", async () => {
    await using cluster = await createTestCluster({ topics: { orders: 1, out: 2 } })
    await using consumer = await make(cluster)
    assert.deepStrictEqual(await consumer.send("out", { a: 1 }, { partition: 1, key: "k", headers: { h: "v" } }), {
      topic: "out",
      partition: 1,
      offset: 0n
    })
    await consumer.send("out", "text", { partition: 1 })
    await consumer.send("out", new Uint8Array([1, 2]), { partition: 1 })
    await consumer.send("out", null, { partition: 1, key: "gone" })
    const records = await cluster.records("out")
    const values = records.map(({ value }) => value === null ? null : Buffer.from(value).toString())
    assert.deepStrictEqual(values, ["{\"a\":1}", "text", "\u0001\u0002", null])
    assert.strictEqual(records[0]!.headers[0]!.name, "h")
  })

  it("rejects with a code", async () => {
    await using cluster = await createTestCluster({ topics: { orders: 1 } })
    await using consumer = await make(cluster)
    assert.strictEqual((await rejected(consumer.send("nowhere", "x"), KafkaFailedError)).code, "UNKNOWN_TOPIC")
    await rejected(consumer.send("orders", { big: 1n }), InvalidOptionError)
  })
})

describe("what can be seen", () => {
  it("the settings with where they come from", async () => {
    await using cluster = await clusterWith(0)
    await using consumer = await make(cluster, {
      groupId: "own",
      profile: "gpu",
      settings: { heartbeatIntervalMs: 5_000 }
    })
    const { config } = consumer
    assert.deepStrictEqual([config.consumerGroupId, config.provenance.consumerGroupId.source], ["own", "code"])
    assert.deepStrictEqual([config.maxPollRecords, config.provenance.maxPollRecords.source], [1, "profile"])
    assert.deepStrictEqual([config.heartbeatIntervalMs, config.provenance.heartbeatIntervalMs.source], [5_000, "code"])
    assert.deepStrictEqual([config.fetchMinBytes, config.provenance.fetchMinBytes.source], [1, "default"])
  })

  it("settings given in code are checked as those of a row are: one that cannot hold falls back, with a reason", async () => {
    await using cluster = await clusterWith(0)
    await using consumer = await make(cluster, {
      order: "key",
      concurrency: 4,
      settings: { maxPollRecords: 100_000, sessionTimeoutMs: 30_000, heartbeatIntervalMs: 25_000, retryBackoffMs: 7 }
    })
    const { config } = consumer
    assert.deepStrictEqual([config.maxPollRecords, config.provenance.maxPollRecords.source], [100, "default"])
    assert.match(
      config.provenance.maxPollRecords.refused!.reason,
      /max_poll_records of the program 100000 is more than 5000/
    )
    assert.deepStrictEqual([config.sessionTimeoutMs, config.heartbeatIntervalMs, config.retryBackoffMs], [
      30_000,
      10_000,
      7
    ])
    assert.deepStrictEqual(config.issues.map(({ kind }) => kind), ["OutOfBounds", "Contradiction"])
    assert.deepStrictEqual([config.concurrency, config.provenance.concurrency.source], [4, "code"])
    assert.deepStrictEqual([config.processingOrder, config.provenance.processingOrder.source], ["key", "code"])
  })

  it("events, health, totals", async () => {
    await using cluster = await clusterWith(10, 2)
    const consumer = await make(cluster)
    const types = new Set<string>()
    for (const type of ["assigned", "started", "committed", "revoked", "drained"] as const) {
      consumer.on(type, (event) => types.add(event.type))
    }
    const assigned: Array<unknown> = []
    const end = consumer.on("assigned", ({ added }) => assigned.push(...added))
    assert.deepStrictEqual(consumer.health.started, false)
    const running = consumer.run({ eachRecord: () => undefined })
    await until("10 records", () => consumer.totals.processed === 10)
    assert.deepStrictEqual([consumer.health.ready, consumer.health.live], [true, true])
    end()
    await consumer.close()
    await running
    assert.deepStrictEqual(assigned, [{ topic: "orders", partition: 0 }, { topic: "orders", partition: 1 }])
    assert.isTrue(types.has("assigned") && types.has("started") && types.has("committed"), [...types].join())
    assert.strictEqual(consumer.totals.inFlight, 0)
  })

  it("log lines go to the logger that was given", async () => {
    await using cluster = await clusterWith(1)
    const lines: Array<[string, string, unknown]> = []
    const at = (level: string) => (message: string, fields: Readonly<Record<string, unknown>>) => {
      lines.push([level, message, fields["service"]])
    }
    const logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") }
    const consumer = await make(cluster, { logger, onFailure: { otherwise: "skip" } })
    const running = consumer.run({
      eachRecord: () => {
        throw new Error("bad")
      }
    })
    await until("one skipped", () => consumer.totals.skipped === 1)
    await consumer.close()
    await running
    assert.isTrue(
      lines.some(([level, message, of]) => level === "warn" && /skipped.*bad/.test(message) && of === "orders-service")
    )
  })
})

describe("options that cannot be used reject before anything connects", () => {
  const options = { service: "s", topics: ["t"], brokers: "localhost:9092", logger: false } as const
  const bad: ReadonlyArray<readonly [string, object]> = [
    ["service", { service: " " }],
    ["topics", { topics: [] }],
    ["topics", { topics: [""] }],
    ["groupId", { groupId: "" }],
    ["brokers", { brokers: undefined }],
    ["brokers", { brokers: "localhost" }],
    ["brokers", { brokers: [] }],
    ["concurrency", { concurrency: 0 }],
    ["batch.size", { batch: { size: 1.5 } }],
    ["drainTimeoutMs", { drainTimeoutMs: -1 }],
    ["profile", { profile: "fast" }],
    ["database", { database: "mysql://u:s3cret@h/d" }],
    ["connection", { connection: { transport: "memory" } }],
    ["transport", { transport: "librdkafka" }],
    ["transport", { transport: "kafkajs", connection: { transport: "memory" } }]
  ]
  it.each(bad)("%s: %j", async (option, override) => {
    const error = await rejected(createOptimizedConsumer({ ...options, ...override }), InvalidOptionError)
    assert.deepStrictEqual([error.code, error.option], ["INVALID_OPTION", option])
    assert.notInclude(error.message, "s3cret")
    assert.isTrue(error.message.startsWith(option), error.message)
  })
})

describe("decoders", () => {
  const bytes = new TextEncoder().encode("[1]")
  it("bytes, text, JSON with and without a check", () => {
    assert.strictEqual(Decoder.bytes(bytes), bytes)
    assert.strictEqual(Decoder.text(bytes), "[1]")
    assert.deepStrictEqual(Decoder.json()(bytes), [1])
    const check = (value: unknown): number => {
      if (Array.isArray(value) && typeof value[0] === "number") return value[0]
      throw new TypeError("no number")
    }
    assert.strictEqual(Decoder.json(check)(bytes), 1)
    assert.throws(() => Decoder.json(check)(new TextEncoder().encode("{}")), "no number")
  })
})
