import { connect } from "node:net"
import { describe, expect, it } from "vitest"
import { brokers, freshDatabase, freshName, freshTopic } from "../../test-support/servers.ts"
import { liveBrokers } from "../servers/kafkaMetadata.ts"

describe("the shared servers", () => {
  it("Kafka counts its broker as alive", async () => {
    const port = Number(brokers()[0]!.split(":")[1])
    expect((await liveBrokers(port)).length).toBeGreaterThan(0)
  })

  it("a fresh topic has a name of its own", async () => {
    const [one, other] = [await freshTopic("orders", 3), await freshTopic("orders")]
    expect(one).not.toBe(other)
    expect(one).toContain("orders")
  })

  it("a fresh database accepts connections", async () => {
    const url = new URL(await freshDatabase())
    await new Promise<void>((resolve, reject) => {
      const socket = connect(Number(url.port), url.hostname, () => {
        socket.destroy()
        resolve()
      })
      socket.once("error", reject)
    })
  })

  it("a fresh name never comes twice", () => {
    expect(freshName("group")).not.toBe(freshName("group"))
  })
})
