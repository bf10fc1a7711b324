import { assert, describe, it } from "@effect/vitest"
import { type OutgoingRecord, type ProducerSettings, Transport } from "@weft/kafka/Transport"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { freshName } from "../../../test-support/servers.ts"
import { groupOf, member, onKafka, producerSettings, record, records, topicOf, until, valuesOf } from "./support.ts"

const producerOf = (over: Partial<ProducerSettings> = {}) =>
  Effect.flatMap(Transport, (transport) => transport.producer({ ...producerSettings, ...over }))

/** All that a topic holds, once it holds so many. */
const readAll = Effect.fnUntraced(function*(topic: string, count: number) {
  const probe = yield* member(topic, yield* groupOf("read"))
  yield* until(() => probe.records.length >= count)
  return probe
})

const header = (name: string, value: string | null) => ({ name, value: value === null ? null : Buffer.from(value) })

describe("what is written", () => {
  it.live("headers keep their order, their duplicates, and those without a value", () =>
    onKafka(Effect.gen(function*() {
      const topic = yield* topicOf("headers")
      const headers = [header("x", "1"), header("10", "a"), header("x", null), header("2", ""), header("x", "3")]
      const producer = yield* producerOf()
      const alone = [header("only", null)]
      yield* producer.send([{
        topic,
        partition: 0,
        records: [
          record("v", { headers }),
          record(null, { headers, key: Buffer.from("k") }),
          record(null, { headers: alone })
        ]
      }])
      const probe = yield* readAll(topic, 3)
      const read = probe.records.map((one) =>
        one.headers.map(({ name, value }) => [name, value === null ? null : Buffer.from(value).toString()])
      )
      const written = headers.map(({ name, value }) => [name, value === null ? null : value.toString()])
      assert.deepStrictEqual(read, [written, written, [["only", null]]])
    })))

  for (const compressionType of ["none", "gzip"] as const) {
    it.live(`${compressionType}: many records of many sizes, in order, each once`, () =>
      onKafka(Effect.gen(function*() {
        const topic = yield* topicOf("many", 2)
        const producer = yield* producerOf({ compressionType })
        const sized = (n: number): OutgoingRecord => record(`${n}${".".repeat(n % 500)}`)
        const all = Array.from({ length: 15_000 }, (_, n) => sized(n))
        const [one, two] = yield* producer.send([
          { topic, partition: 0, records: all },
          { topic, partition: 1, records: all.slice(0, 10) }
        ])
        assert.deepStrictEqual([one!.offset, two!.offset], [0n, 0n])
        const probe = yield* readAll(topic, 15_010)
        assert.deepStrictEqual(
          valuesOf(probe, 0).map((value) => Number(value!.replaceAll(".", ""))),
          all.map((_, n) => n)
        )
      })))
  }

  it.live("concurrent sends keep the order in which they were made, and share requests", () =>
    onKafka(Effect.gen(function*() {
      const topic = yield* topicOf("concurrent")
      const producer = yield* producerOf()
      const offsets = yield* Effect.forEach(
        Array.from({ length: 2000 }, (_, n) => n),
        (n) =>
          Effect.map(producer.send([{ topic, partition: 0, records: records(1, n) }]), ([at]) => Number(at!.offset)),
        { concurrency: 500 }
      )
      assert.deepStrictEqual(offsets, offsets.map((_, n) => n))
      const probe = yield* readAll(topic, 2000)
      assert.deepStrictEqual(valuesOf(probe).map(Number), offsets)
    })))

  it.live("without idempotence, with one acknowledgement or none", () =>
    onKafka(Effect.gen(function*() {
      const topic = yield* topicOf("acks")
      const one = yield* producerOf({ enableIdempotence: false, acks: 1 })
      assert.deepStrictEqual((yield* one.send([{ topic, partition: 0, records: records(2) }]))[0]!.offset, 0n)
      const none = yield* producerOf({ enableIdempotence: false, acks: 0 })
      assert.deepStrictEqual((yield* none.send([{ topic, partition: 0, records: records(2, 2) }]))[0]!.offset, -1n)
      assert.deepStrictEqual(valuesOf(yield* readAll(topic, 4)), ["0", "1", "2", "3"])
    })))

  it.live("a producer that closes writes first what still waits", () =>
    onKafka(Effect.gen(function*() {
      const topic = yield* topicOf("flush")
      yield* Effect.scoped(Effect.gen(function*() {
        const producer = yield* producerOf()
        yield* Effect.forkDetach(producer.send([{ topic, partition: 0, records: records(5000) }]), {
          startImmediately: true
        })
        // Until it is admitted.
        yield* producer.send([{ topic, partition: 0, records: [] }])
      }))
      assert.strictEqual((yield* readAll(topic, 5000)).records.length, 5000)
    })))
})

describe("what is refused", () => {
  it.live("batches that are too large for the topic go in smaller ones", () =>
    onKafka(Effect.gen(function*() {
      const topic = yield* topicOf("split", 1, { "max.message.bytes": "5000" })
      const producer = yield* producerOf()
      const all = Array.from({ length: 300 }, (_, n) => record(String(n).padEnd(100, ".")))
      yield* producer.send([{ topic, partition: 0, records: all }])
      const probe = yield* readAll(topic, 300)
      assert.deepStrictEqual(valuesOf(probe).map((v) => Number(v!.replaceAll(".", ""))), all.map((_, n) => n))
    })))

  it.live("a record that the broker refuses costs no other record, before or after it, in its partition or another", () =>
    onKafka(Effect.gen(function*() {
      const topic = yield* topicOf("refused", 2, { "max.message.bytes": "5000" })
      const producer = yield* producerOf()
      const send = (partition: number, records: ReadonlyArray<OutgoingRecord>) =>
        Effect.result(producer.send([{ topic, partition, records }]))
      const results = yield* Effect.all([
        send(0, records(3)),
        send(1, records(3, 100)),
        send(0, [record("x".repeat(9000))]),
        send(1, records(3, 103)),
        send(0, records(3, 3))
      ], { concurrency: "unbounded" })
      assert.deepStrictEqual(results.map(({ _tag }) => _tag), ["Success", "Success", "Failure", "Success", "Success"])
      const failure = results[2]!
      const error = failure._tag === "Failure" ? failure.failure : undefined
      assert.strictEqual(error?._tag === "ProduceError" ? error.code : error?._tag, "MESSAGE_TOO_LARGE")
      // The sequence numbers of what was refused are free again, and nobody's records pass for a repetition.
      for (let n = 6; n < 12; n += 3) yield* producer.send([{ topic, partition: 0, records: records(3, n) }])
      const probe = yield* readAll(topic, 18)
      assert.deepStrictEqual(valuesOf(probe, 0).map(Number), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
      assert.deepStrictEqual(valuesOf(probe, 1).map(Number), [100, 101, 102, 103, 104, 105])
    })))

  it.live("an unknown topic or partition is named, and the producer goes on", () =>
    onKafka(Effect.gen(function*() {
      const topic = yield* topicOf("unknown")
      const missing = freshName("missing")
      const producer = yield* producerOf()
      const noTopic = yield* Effect.flip(producer.send([{ topic: missing, partition: 0, records: records(1) }]))
      assert.deepStrictEqual([noTopic._tag, noTopic._tag === "UnknownTopicError" ? noTopic.topic : ""], [
        "UnknownTopicError",
        missing
      ])
      const noPartition = yield* Effect.flip(producer.send([{ topic, partition: 7, records: records(1) }]))
      assert.strictEqual(noPartition._tag === "UnknownTopicError" ? noPartition.partition : undefined, 7)
      yield* producer.send([{ topic, partition: 0, records: records(1) }])
    })))
})

describe("admin", () => {
  it.live("one config is changed, and the others stay as they are", () =>
    onKafka(Effect.gen(function*() {
      const admin = yield* (yield* Transport).admin
      const topic = yield* topicOf("configs", 1, { "retention.ms": "111" })
      yield* admin.alterConfigs({ _tag: "Topic", name: topic }, { "max.message.bytes": "2222" })
      const own = Effect.map(
        admin.describeConfigs({ _tag: "Topic", name: topic }),
        (all) => Object.fromEntries(all.filter(({ isDefault }) => !isDefault).map(({ name, value }) => [name, value]))
      )
      // The broker that is asked hears of the change a moment after the controller made it.
      const values = yield* Effect.repeat(own, {
        until: (told) => told["max.message.bytes"] !== undefined,
        schedule: Schedule.spaced(20)
      })
      assert.deepStrictEqual([values["retention.ms"], values["max.message.bytes"]], ["111", "2222"])
      const refused = yield* Effect.flip(
        admin.alterConfigs({ _tag: "Topic", name: topic }, { "retention.ms": "soon" })
      )
      assert.strictEqual(refused._tag === "AdminError" ? refused.code : refused._tag, "INVALID_CONFIG")
    })))

  it.live("the configs of a broker can be read", () =>
    onKafka(Effect.gen(function*() {
      const admin = yield* (yield* Transport).admin
      const { brokers, controller } = yield* admin.describeCluster
      assert.isTrue(controller === undefined || brokers.length > 0)
      const configs = yield* admin.describeConfigs({ _tag: "Broker", id: brokers[0]!.id })
      assert.isTrue(configs.some(({ name }) => name === "log.retention.hours"))
    })))

  it.live("of several new topics, the ones that exist do not keep the others from being made", () =>
    onKafka(Effect.gen(function*() {
      const admin = yield* (yield* Transport).admin
      const [existing, fresh] = [yield* topicOf("existing"), freshName("fresh")]
      assert.isTrue(yield* admin.createTopics([{ name: existing }, { name: fresh }]))
      assert.isFalse(yield* admin.createTopics([{ name: existing }, { name: fresh }]))
      const described = yield* admin.describeTopics([existing, fresh])
      assert.deepStrictEqual(described.map(({ internal, name, partitions }) => [name, internal, partitions.length]), [
        [existing, false, 1],
        [fresh, false, 1]
      ])
      const refused = yield* Effect.flip(admin.createTopics([{ name: freshName("no"), replicationFactor: 9 }]))
      assert.strictEqual(refused._tag === "AdminError" ? refused.code : refused._tag, "INVALID_REPLICATION_FACTOR")
      yield* admin.deleteTopics([fresh])
    })))

  it.live("records before an offset are deleted", () =>
    onKafka(Effect.gen(function*() {
      const transport = yield* Transport
      const admin = yield* transport.admin
      const topic = yield* topicOf("trimmed")
      yield* (yield* producerOf()).send([{ topic, partition: 0, records: records(5) }])
      yield* admin.deleteRecords([{ topic, partition: 0, offset: 3n }])
      const [beginning] = yield* admin.listOffsets([TopicPartition.make(topic, 0)], "earliest")
      assert.strictEqual(beginning!.offset, 3n)
      const refused = yield* Effect.flip(admin.deleteRecords([{ topic, partition: 0, offset: 99n }]))
      assert.strictEqual(refused._tag === "AdminError" ? refused.code : refused._tag, "OFFSET_OUT_OF_RANGE")
    })))

  it.live("what does not exist is said to be unknown", () =>
    onKafka(Effect.gen(function*() {
      const admin = yield* (yield* Transport).admin
      const missing = freshName("missing")
      const tags = yield* Effect.all([
        Effect.flip(admin.describeTopics([missing])),
        Effect.flip(admin.deleteTopics([missing])),
        Effect.flip(admin.createPartitions(missing, 3)),
        Effect.flip(admin.describeConfigs({ _tag: "Topic", name: missing })),
        Effect.flip(admin.listOffsets([TopicPartition.make(missing, 0)], "latest")),
        Effect.flip(admin.deleteGroups([missing]))
      ])
      assert.deepStrictEqual(tags.map(({ _tag }) => _tag), [
        "UnknownTopicError",
        "UnknownTopicError",
        "UnknownTopicError",
        "UnknownTopicError",
        "UnknownTopicError",
        "GroupError"
      ])
      assert.deepStrictEqual(yield* admin.committedOffsets(missing), [])
    })))
})
