/** The command on a real Kafka, as a program of its own. */
import { assert, describe, it } from "@effect/vitest"
import { Kafka, logLevel } from "kafkajs"
import { brokers, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import { run, timeout } from "./support/process.ts"

interface Listed {
  readonly group: string
  readonly state: string
  readonly members: number
  readonly strategy: string
  readonly topics: ReadonlyArray<string>
}

const kafka = () => new Kafka({ brokers: [...brokers()], logLevel: logLevel.NOTHING })

/** Records a millisecond apart from `start` on. */
const write = async (topic: string, records: number, start: number) => {
  const producer = kafka().producer()
  await producer.connect()
  const messages = Array.from(
    { length: records },
    (_, i) => ({ partition: i % 2, value: "v", timestamp: String(start + i) })
  )
  await producer.send({ topic, messages })
  await producer.disconnect()
}

const setOffsets = async (groupId: string, topic: string, offset: string) => {
  const admin = kafka().admin()
  await admin.connect()
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset }, { partition: 1, offset }] })
  await admin.disconnect()
}

const offsets = async (groupId: string, topic: string) => {
  const admin = kafka().admin()
  await admin.connect()
  const [found] = await admin.fetchOffsets({ groupId, topics: [topic] })
  await admin.disconnect()
  return found!.partitions.toSorted((a, b) => a.partition - b.partition).map(({ offset }) => offset)
}

describe.each(["kafkajs", "platformatic"])("weft on a real Kafka, by %s", { timeout }, (transport) => {
  const env = () => ({ KAFKA_BROKERS: brokers().join(","), KAFKA_TRANSPORT: transport })

  it("topics, groups, lag, and a reset that is planned before it is done", async () => {
    const topic = await freshTopic("cli", 2)
    const group = freshGroup("cli")
    const start = Date.now() - 60_000
    const tenth = new Date(start + 10).toISOString()
    await write(topic, 20, start)
    await setOffsets(group, topic, "4")

    const described = JSON.parse((await run(["topics", "describe", topic, "--json"], env())).out) as {
      readonly partitions: ReadonlyArray<{ readonly end: number; readonly isr: ReadonlyArray<number> }>
    }
    assert.deepStrictEqual(described.partitions.map(({ end, isr }) => [end, isr.length]), [[10, 1], [10, 1]])

    const lag = await run(["lag", group], env())
    assert.deepStrictEqual([lag.code, lag.err], [0, ""])
    assert.match(lag.out, new RegExp(`${group}, empty with 0 members, is 12 records and (\\d+m.*|5\\ds) behind`))

    const list = JSON.parse((await run(["groups", "list", "--json"], env())).out) as ReadonlyArray<
      Listed
    >
    assert.deepStrictEqual(list.find((one) => one.group === group), {
      group,
      state: "Empty",
      members: 0,
      strategy: "",
      topics: []
    })

    const plan = await run(["groups", "reset", group, "--to", tenth], env())
    assert.strictEqual(plan.code, 0)
    assert.include(plan.out, "--execute")
    assert.deepStrictEqual(await offsets(group, topic), ["4", "4"])
    const done = await run(["groups", "reset", group, "--to", tenth, "--execute"], env())
    assert.strictEqual(done.code, 0)
    assert.deepStrictEqual(await offsets(group, topic), ["5", "5"])
  })

  it("a group with a member is not reset; an unknown group or topic is not found", async () => {
    const topic = await freshTopic("cli-live")
    const group = freshGroup("cli-live")
    const consumer = kafka().consumer({ groupId: group })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic] })
    const joined = Promise.withResolvers<void>()
    consumer.on("consumer.group_join", () => joined.resolve())
    await consumer.run({ eachMessage: () => Promise.resolve() })
    await joined.promise
    try {
      const reset = await run(["groups", "reset", group, "--to", "latest", "--topic", topic, "--execute"], env())
      assert.deepStrictEqual([reset.code, reset.out], [5, ""])
      assert.include(reset.err, "stop all members")
      const members = await run(["groups", "describe", group], env())
      assert.match(members.out, new RegExp(`kafkajs .*${topic}: 0`))
      // As long as it has a member: the broker removes an empty group without offsets when it next looks.
      const slip = await run(["lag", group.slice(0, -1)], env())
      assert.strictEqual(slip.code, 3)
      assert.include(slip.err, group)
    } finally {
      await consumer.disconnect()
    }
    assert.strictEqual((await run(["topics", "describe", `${topic}x`], env())).code, 3)
  })
})
