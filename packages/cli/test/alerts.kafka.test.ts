/** `weft monitor` and `weft alerts` as programs of their own, on real servers: a group that is behind, and who is told. */
import { Kafka, logLevel } from "kafkajs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout } from "node:timers/promises"
import { assert, describe, it } from "vitest"
import { brokers, freshDatabase, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import { begin, run, timeout } from "./support/process.ts"

const until = async (what: string, done: () => boolean) => {
  for (let i = 0; i < 1_800; i++) {
    if (done()) return
    await setTimeout(100)
  }
  assert.fail(`not in time: ${what}`)
}

describe("weft monitor and weft alerts", { timeout: 3 * timeout }, () => {
  it("judges a group that is not Weft's, tells the webhook once, and shows it until somebody knows", async () => {
    // Told apart by kind: that nobody reads is another alert, a minute after the first look.
    const lagTold: Array<string> = []
    const webhook = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
        const message = JSON.parse(Buffer.concat(chunks).toString("utf8")) as {
          readonly attachments: ReadonlyArray<{ readonly title: string; readonly fallback: string }>
        }
        for (const { fallback, title } of message.attachments) {
          if (title.endsWith(": lag")) lagTold.push(fallback)
        }
        response.writeHead(200).end("ok")
      })
    })
    await new Promise<void>((resolve) => void webhook.listen(0, "127.0.0.1", resolve))

    const topic = await freshTopic("alerts")
    const group = freshGroup("alerts")
    const kafka = new Kafka({ brokers: [...brokers()], logLevel: logLevel.NOTHING })
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic, messages: Array.from({ length: 1_500 }, () => ({ value: "v" })) })
    await producer.disconnect()
    const admin = kafka.admin()
    await admin.connect()
    await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: "100" }] })

    const environment = { DATABASE_URL: await freshDatabase(), KAFKA_BROKERS: brokers().join(",") }
    const refused = await run(["monitor"], { ...environment, WEFT_ALERT_WEBHOOK_URL: "verysecret" })
    assert.strictEqual(refused.code, 2)
    assert.include(refused.err, "WEFT_ALERT_WEBHOOK_URL is not a web address")
    assert.notInclude(refused.err, "verysecret")

    await run(["migrate"], environment)
    const monitor = begin(["monitor", "--group", group, "--interval", "2s"], {
      ...environment,
      WEFT_ALERT_WEBHOOK_URL: `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/hook`
    })
    try {
      await until("the webhook is told", () => lagTold.length > 0)
      assert.strictEqual(
        lagTold[0],
        `warning: lag: ${group} is 1400 records behind on partition 0 of ${topic} (warning above 1000)`
      )
      const open = await run(["alerts", "--service", group, "--exit-code"], environment)
      assert.strictEqual(open.code, 6)
      assert.include(open.out, "1400 records behind")
      const known = await run(["alerts", "ack", "--service", group, "--by", "ann"], environment)
      assert.deepStrictEqual([known.code, known.out.includes("acknowledged by ann")], [0, true])
      assert.lengthOf(lagTold, 1)
    } finally {
      await monitor.stop()
      webhook.closeAllConnections()
      await Promise.all([admin.disconnect(), new Promise((resolve) => void webhook.close(resolve))])
    }
  })
})
