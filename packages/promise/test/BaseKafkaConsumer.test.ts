import {
  BaseKafkaConsumer,
  ConsumerStateError,
  createTestCluster,
  Decoder,
  InvalidOptionError,
  type WeftRecord
} from "@weft/promise"
import type { TestCluster } from "@weft/promise/TestCluster"
import { assert, describe, it } from "vitest"

interface Location {
  readonly trace: string
  readonly latitude: number
}

const checkLocation = (value: unknown): Location => {
  if (typeof value === "object" && value !== null && "latitude" in value && typeof value.latitude === "number") {
    return value as Location
  }
  throw new TypeError("no location")
}

/** The guide's example, in its order: a class with its settings, what it does with a message, what it sends. */
class GeoregionConsumer extends BaseKafkaConsumer<Location> {
  readonly limit: number
  constructor(cluster: TestCluster, limit: number) {
    super({
      connection: cluster.connection,
      service: "georegion-detector",
      groupId: "loom-georegion",
      topics: ["location.address.geocoded"],
      value: Decoder.json(checkLocation),
      logger: false,
      stopOn: false,
      onFailure: { RangeError: "dead-letter" }
    })
    this.limit = limit
  }

  override async processMessage(record: WeftRecord<Location>): Promise<void> {
    const { latitude, trace } = record.value
    if (latitude > 90) throw new RangeError("no such place")
    await this.sendToTopic("location.georegion.detected", { trace, region: latitude > 0 ? "north" : "south" }, {
      key: record.key
    })
    if (this.totals.processed + 1 >= this.limit) void this.stop()
  }
}

const scene = async () => {
  const cluster = await createTestCluster({
    topics: { "location.address.geocoded": 1, "location.georegion.detected": 1 }
  })
  await cluster.append("location.address.geocoded", [
    { key: "a", value: "{\"trace\":\"1\",\"latitude\":52.5}" },
    { key: "b", value: "{\"trace\":\"2\",\"latitude\":200}" },
    { key: "c", value: "no JSON" },
    { key: "d", value: "{\"trace\":\"4\",\"latitude\":-33.9}" }
  ])
  return cluster
}

describe("BaseKafkaConsumer", () => {
  it("processes messages, sends results, dead-letters what fails, and commits", async () => {
    await using cluster = await scene()
    const consumer = new GeoregionConsumer(cluster, 4)
    await consumer.start()
    assert.strictEqual(consumer.config.consumerGroupId, "loom-georegion")
    await consumer.run()
    const sent = (await cluster.records("location.georegion.detected")).map(({ key, value }) => [
      Buffer.from(key!).toString(),
      JSON.parse(Buffer.from(value!).toString()) as unknown
    ])
    assert.deepStrictEqual(sent, [["a", { trace: "1", region: "north" }], ["d", { trace: "4", region: "south" }]])
    const letters = await cluster.records("location.address.geocoded.dlq")
    assert.deepStrictEqual(letters.map(({ key }) => Buffer.from(key!).toString()), ["b", "c"])
    assert.deepStrictEqual(await cluster.committed("loom-georegion"), [
      { topic: "location.address.geocoded", partition: 0, offset: 4n }
    ])
    assert.strictEqual(consumer.totals.deadLetters, 2)
  })

  it("can be run without start, and stopped from outside", async () => {
    await using cluster = await scene()
    const consumer = new GeoregionConsumer(cluster, Infinity)
    const running = consumer.run()
    while ((await cluster.committed("loom-georegion"))[0]?.offset !== 4n) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await consumer.stop()
    await running
    await consumer.stop()
    assert.isFalse(consumer.health.ready)
  })

  it("says what is wrong when it starts, and nothing is to be seen before", async () => {
    class Bad extends BaseKafkaConsumer {
      override processMessage(): void {}
    }
    const bad = new Bad({ service: "s", topics: [], brokers: "localhost:9092" })
    const error: unknown = await bad.start().catch((error: unknown) => error)
    assert.instanceOf(error, InvalidOptionError)
    assert.throws(() => bad.config, ConsumerStateError)
    await bad.stop()
  })
})
