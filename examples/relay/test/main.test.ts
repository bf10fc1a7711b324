import { assert, describe, it } from "@effect/vitest"
import { RelayProcess } from "./support/relayProcess.ts"

describe("the relay as a program", () => {
  it("ends at once on a bad variable, and names it and what it accepts", async () => {
    const relay = new RelayProcess({
      KAFKA_BROKERS: "127.0.0.1:1",
      RELAY_IN: "in",
      RELAY_OUT: "out",
      RELAY_ORDER: "sideways"
    })
    assert.strictEqual(await relay.exited, 1)
    assert.strictEqual(relay.log.trim(), "RELAY_ORDER is \"sideways\"; it accepts partition, key or none")
  })

  it("names all that is missing at once", async () => {
    const relay = new RelayProcess({})
    assert.strictEqual(await relay.exited, 1)
    for (const name of ["KAFKA_BROKERS", "RELAY_IN", "RELAY_OUT"]) assert.include(relay.log, `${name} is not set`)
  })
})
