import { assert, describe, it } from "@effect/vitest"
import { brokers, freshDatabase } from "../../../test-support/servers.ts"
import { runDemo, told } from "./support/runDemo.ts"

describe("the demo on the Kafka and the PostgreSQL of the environment", () => {
  it("is the same", async () => {
    const { code, output } = await runDemo(["--seconds", "6"], {
      KAFKA_BROKERS: brokers().join(","),
      DATABASE_URL: await freshDatabase()
    })
    assert.strictEqual(code, 0, output)
    assert.include(output, `(Kafka at ${brokers().join(",")})`)
    // How many is a matter of how busy the machine is.
    assert.isAbove(told(output, "consumed"), 0)
    assert.strictEqual(told(output, "committed"), told(output, "consumed"))
    assert.notInclude(output, "no rows")
  }, 600_000)
})
