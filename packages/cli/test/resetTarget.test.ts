import { assert, describe, it } from "@effect/vitest"
import { resetTarget } from "../src/internal/resetTarget.ts"

const now = Date.parse("2026-03-01T12:00:00Z")

const to = (text: string) => {
  const target = resetTarget(text, now)
  return target._tag === "Target" ? target.to : target._tag
}

describe("resetTarget", () => {
  it("knows the ends, offsets, times and how long ago", () => {
    assert.deepStrictEqual(to("earliest"), "earliest")
    assert.deepStrictEqual(to(" latest "), "latest")
    assert.deepStrictEqual(to("1200"), 1200n)
    assert.deepStrictEqual(to("9223372036854775807"), 2n ** 63n - 1n)
    assert.deepStrictEqual(to("2026-01-31T08:00:00Z"), { timestamp: Date.parse("2026-01-31T08:00:00Z") })
    assert.deepStrictEqual(to("2026-01-31T08:00:00.250+02:00"), { timestamp: Date.parse("2026-01-31T06:00:00.250Z") })
    assert.deepStrictEqual(to("2026-01-31"), { timestamp: Date.parse("2026-01-31T00:00:00Z") })
    assert.deepStrictEqual(to("30m"), { timestamp: now - 1_800_000 })
    assert.deepStrictEqual(to("7d"), { timestamp: now - 7 * 86_400_000 })
  })

  it("refuses what could mean several things or nothing", () => {
    for (
      const text of ["", "yesterday", "-5", "1.5", "9223372036854775808", "2026-01-31T08:00:00", "2026-13-01", "5w"]
    ) {
      assert.deepStrictEqual(to(text), "Bad", text)
    }
  })
})
