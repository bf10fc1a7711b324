import { once } from "node:events"
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
    const { hostname, port } = new URL(await freshDatabase())
    const socket = connect(Number(port), hostname)
    await expect(once(socket, "connect")).resolves.toEqual([])
    socket.destroy()
  })

  it("a fresh name never comes twice", () => {
    expect(freshName("group")).not.toBe(freshName("group"))
  })
})
