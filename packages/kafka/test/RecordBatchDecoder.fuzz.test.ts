import { assert, describe, it } from "@effect/vitest"
import { fuzz } from "./fuzz.ts"

describe("RecordBatchDecoder, whatever the bytes are", () => {
  it("20,000 damaged answers: never a crash, a hang, or a read past the end, and each end has its reason", () => {
    const { ends, records } = fuzz({ seed: 1, inputs: 20_000 })
    for (const end of ["whole", "Corrupt", "Unsupported", "MessageSet", "Incomplete"]) {
      assert.isAbove(ends[end] ?? 0, 20, `${end} of ${JSON.stringify(ends)}`)
    }
    assert.isAbove(records, 20_000)
  }, 120_000)
})
