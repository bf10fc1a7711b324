import { assert, describe, it } from "@effect/vitest"
import { connect } from "node:net"
import { runDemo, told } from "./support/runDemo.ts"

const isOpen = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" })
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

describe("the demo", () => {
  it("consumes, commits and stores, tells it, and leaves no server behind", async () => {
    const { code, output } = await runDemo(["--seconds", "6"])
    assert.strictEqual(code, 0, output)
    // How many is a matter of how busy the machine is.
    assert.isAbove(told(output, "consumed"), 0)
    assert.strictEqual(told(output, "committed"), told(output, "consumed"))
    assert.isAbove(told(output, "detected"), 0)
    assert.match(output, /^\d:\d\d {2}[\d,]+ records\/s {2}consumed [\d,]+ of [\d,]+ {2}lag /m)
    assert.match(output, /max_poll_records=200 \(row\)/)

    const [metrics, ...others] = output.slice(output.indexOf("stored in")).split(/\n\n/).slice(1)
    const processed = /\n +\d+ +([\d,]+) /.exec(metrics!)?.[1]
    assert.strictEqual(Number(processed?.replaceAll(",", "")), told(output, "consumed"), output)
    assert.deepStrictEqual(others.map((part) => part.split("\n")[0]), [
      "consumer_lag_history",
      "v_current_consumer_lag",
      "v_consumer_lag_alerts"
    ])
    for (const part of others) assert.include(part, "location.address.geocoded", output)

    const port = /DATABASE_URL=postgres:\/\/postgres@127\.0\.0\.1:(\d+)\/weft_demo/.exec(output)?.[1]
    assert.isFalse(await isOpen(Number(port)))
  }, 600_000)

  it("ends gracefully with 0 at Ctrl-C", async () => {
    const { code, output } = await runDemo([], {}, (output, signal) => {
      // Further ones change nothing.
      if (/consumed [1-9]/.test(output)) signal("SIGINT")
    })
    assert.strictEqual(code, 0, output)
    assert.isAbove(told(output, "committed"), 0)
    assert.strictEqual(told(output, "committed"), told(output, "consumed"))
  }, 600_000)

  it("refuses a flag that it does not know, and says which there are", async () => {
    const { code, output } = await runDemo(["--quick"])
    assert.strictEqual(code, 1)
    assert.match(output, /--quick/)
    assert.match(output, /--seconds N/)
  })
})
