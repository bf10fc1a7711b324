/** A program of its own that is told to end, and one that is killed. */
import { createOptimizedConsumer } from "@weft/promise"
import { spawn } from "node:child_process"
import { on, once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Kafka, logLevel } from "kafkajs"
import { assert, describe, it } from "vitest"
import { brokers, freshGroup, freshName, freshTopic } from "../../../test-support/servers.ts"

const worker = fileURLToPath(new URL("support/worker.ts", import.meta.url))

interface Life {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly handled: ReadonlyArray<number>
  readonly saidEnd: boolean
}

/** Runs the worker, which gets the signal once it has handled so many records. */
const life = (topic: string, group: string, after: number, signal: NodeJS.Signals): Promise<Life> => {
  const { promise, resolve } = Promise.withResolvers<Life>()
  const child = spawn(process.execPath, [worker, brokers().join(","), topic, group, String(after), signal], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  let text = ""
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => text += chunk)
  child.on("close", (code, by) => {
    const said = text.split("\n").filter((line) => line !== "")
    resolve({
      code,
      signal: by,
      handled: said.filter((line) => line !== "ended").map(Number),
      saidEnd: said.includes("ended")
    })
  })
  return promise
}

const write = async (topic: string, count: number) => {
  await using consumer = await createOptimizedConsumer({
    service: freshName("writer"),
    brokers: brokers(),
    topics: [topic],
    logger: false
  })
  await Promise.all(Array.from({ length: count }, (_, n) => consumer.send(topic, { n }, { partition: n % 3 })))
}

const committed = async (group: string, topic: string): Promise<ReadonlyArray<number>> => {
  const admin = new Kafka({ brokers: [...brokers()], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  await admin.disconnect()
  return found!.partitions.toSorted((a, b) => a.partition - b.partition).map(({ offset }) =>
    Math.max(0, Number(offset))
  )
}

const count = 300

describe("a program", { timeout: 600_000 }, () => {
  it("at SIGTERM finishes what is in flight, commits it, leaves its group, and ends with 0", async () => {
    const topic = await freshTopic("promise-sigterm", 3)
    const group = freshGroup("promise-sigterm")
    await write(topic, count)
    const first = await life(topic, group, 40, "SIGTERM")
    assert.deepStrictEqual([first.code, first.signal, first.saidEnd], [0, null, true])
    assert.isBelow(first.handled.length, count)
    // Exactly what was handled is committed: nothing is lost, and nothing comes again.
    const offsets = await committed(group, topic)
    assert.strictEqual(offsets.reduce((sum, offset) => sum + offset, 0), first.handled.length)
    const second = await life(topic, group, count - first.handled.length, "SIGTERM")
    assert.strictEqual(second.code, 0)
    const all = [...first.handled, ...second.handled].toSorted((a, b) => a - b)
    assert.deepStrictEqual(all, Array.from({ length: count }, (_, n) => n))
  })

  it("ends at once at a second signal, and nothing further is committed", async () => {
    const topic = await freshTopic("promise-second", 3)
    const group = freshGroup("promise-second")
    await write(topic, 9)
    const child = spawn(process.execPath, [worker, brokers().join(","), topic, group, "0", "SIGTERM"], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once("close", (_, by) => resolve(by)))
    const lines = createInterface(child.stdout)
    try {
      await once(lines, "line")
      child.kill("SIGTERM")
      // A second one that comes at once is the same wish: it says when that time is over.
      for await (const line of on(lines, "line", { close: ["close"] })) if (String(line) === "alone") break
      assert.isNull(child.exitCode ?? child.signalCode)
      child.kill("SIGTERM")
      const second = performance.now()
      assert.strictEqual(await ended, "SIGTERM")
      // The drain would take three minutes.
      assert.isBelow(performance.now() - second, 90_000)
      assert.deepStrictEqual(await committed(group, topic), [0, 0, 0])
    } finally {
      child.kill("SIGKILL")
    }
  })

  it("killed in the middle loses no record", async () => {
    const topic = await freshTopic("promise-kill", 3)
    const group = freshGroup("promise-kill")
    await write(topic, count)
    const first = await life(topic, group, 40, "SIGKILL")
    assert.strictEqual(first.signal, "SIGKILL")
    const offsets = await committed(group, topic)
    // Whatever is committed was handled.
    const handled = new Set(first.handled)
    for (const [partition, offset] of offsets.entries()) {
      for (let i = 0; i < offset; i++) assert.isTrue(handled.has(i * 3 + partition), `record ${i * 3 + partition}`)
    }
  })
})
