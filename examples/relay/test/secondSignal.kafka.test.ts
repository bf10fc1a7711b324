/** The first signal asks for an end in order; the second one does not want to wait for it. */
import { afterEach, assert, describe, it } from "@effect/vitest"
import { setTimeout as pause } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { brokers, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import { databaseOf, query } from "./support/database.ts"
import { RelayProcess } from "./support/relayProcess.ts"
import { endOf, fill, until, withAdmin } from "./support/topics.ts"

const gracefulProgram = fileURLToPath(new URL("support/gracefulProgram.ts", import.meta.url))
/** Far longer than the test: whoever waits for the handler does not end. */
const workMs = "600000"
/** The drain would take three minutes. */
const atOnceMs = 60_000
const testMs = 600_000

let running: Array<RelayProcess> = []
afterEach(async () => {
  await Promise.all(running.map((one) => one.kill()))
  running = []
})

const committed = (group: string, topic: string): Promise<number> =>
  withAdmin(async (admin) => {
    const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    return Number(found!.partitions[0]!.offset)
  })

const inputOf = async (prefix: string) => {
  const topic = await freshTopic(prefix)
  await fill(
    topic,
    Array.from({ length: 10 }, (_, i) => ({ partition: 0, key: `k${i}`, value: JSON.stringify({ i }) }))
  )
  return topic
}

/** A second signal, a second after the first one was heard: how the process ended, and how long after it. */
const twice = async (one: RelayProcess, name: NodeJS.Signals) => {
  one.signal(name)
  await until("it drains", async () => /draining \d+ records in flight/.test(one.log), () => one.log)
  await pause(1_000)
  const state = await Promise.race([one.exited.then((code) => `ended with ${code}`), pause(0).then(() => "drains")])
  assert.strictEqual(state, "drains", one.log)
  const second = performance.now()
  one.signal(name)
  const code = await one.exited
  return { code, afterMs: performance.now() - second }
}

describe("a second signal", () => {
  it("ends a pipeline that drains at once, and nothing further is committed", async () => {
    const input = await inputOf("second-in")
    const output = await freshTopic("second-out")
    const group = freshGroup("second")
    const database = await databaseOf("relay")
    const one = new RelayProcess({
      KAFKA_BROKERS: brokers().join(","),
      DATABASE_URL: database,
      RELAY_IN: input,
      RELAY_OUT: output,
      RELAY_GROUP: group,
      RELAY_WORK_MS: workMs
    })
    running.push(one)
    const inFlight = "SELECT 1 AS found FROM consumer_member_metrics WHERE in_flight > 0 LIMIT 1"
    await until("it works", async () => (await query(database, inFlight)).length > 0, () => one.log)
    const { afterMs, code } = await twice(one, "SIGTERM")
    assert.strictEqual(code, 143, one.log)
    assert.isBelow(afterMs, atOnceMs)
    assert.include(one.log, "SIGTERM again")
    assert.strictEqual(await endOf(output), 0)
    assert.isAtMost(await committed(group, input), 0)
  }, testMs)

  it("ends a program over streams at once, with what was settled before it committed, and nothing else", async () => {
    const input = await inputOf("second-streams")
    const group = freshGroup("second-streams")
    const one = new RelayProcess({}, [gracefulProgram, brokers().join(","), input, group, workMs])
    running.push(one)
    await until("it works on the fourth record", async () => one.log.includes("record 3"), () => one.log)
    const { afterMs, code } = await twice(one, "SIGINT")
    assert.strictEqual(code, 130, one.log)
    assert.isBelow(afterMs, atOnceMs)
    assert.strictEqual(await committed(group, input), 3)
  }, testMs)

  it("that comes with the first, as Ctrl-C under npm does, is the first", async () => {
    const input = await inputOf("second-twin")
    const group = freshGroup("second-twin")
    const one = new RelayProcess({}, [gracefulProgram, brokers().join(","), input, group, "3000"])
    running.push(one)
    await until("it works on the fourth record", async () => one.log.includes("record 3"), () => one.log)
    // In a row: a process that is busy with something else hears later ones when it has forgotten that they belong together.
    one.signal("SIGINT")
    one.signal("SIGINT")
    assert.strictEqual(await one.exited, 130, one.log)
    assert.strictEqual(await committed(group, input), 4)
  }, testMs)
})
