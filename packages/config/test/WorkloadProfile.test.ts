import { assert, describe, it } from "@effect/vitest"
import * as ConsumerConfig from "@weft/config/ConsumerConfig"
import * as Resolution from "@weft/config/Resolution"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as Schema from "effect/Schema"

describe("WorkloadProfile", () => {
  it("has the profiles of the guide's three examples", () => {
    assert.deepStrictEqual(WorkloadProfile.profiles["high-volume"].values, {
      maxPollRecords: 500,
      sessionTimeoutMs: 30000,
      maxPollIntervalMs: 60000
    })
    assert.deepStrictEqual(WorkloadProfile.profiles.gpu.values, {
      maxPollRecords: 1,
      sessionTimeoutMs: 300000,
      maxPollIntervalMs: 600000,
      maxPartitionFetchBytes: 52428800
    })
    assert.deepStrictEqual(WorkloadProfile.profiles["network-io"].values, {
      maxPollRecords: 10,
      sessionTimeoutMs: 120000,
      retryBackoffMs: 1000
    })
    assert.deepStrictEqual(WorkloadProfile.profiles.default.values, {})
  })

  it.each(Object.values(WorkloadProfile.profiles))(
    "$name resolves without an issue, each value as it stands",
    (profile) => {
      const resolved = Resolution.resolve({ service: "s", row: { _tag: "Row", columns: {} }, profile })
      assert.deepStrictEqual(resolved.issues, [])
      assert.isTrue(Schema.is(ConsumerConfig.ConsumerConfig)(resolved.config))
      for (const [key, value] of Object.entries(profile.values)) {
        assert.deepStrictEqual(resolved.provenance[key as keyof ConsumerConfig.ConsumerConfig], {
          value,
          source: "profile"
        })
      }
    }
  )

  it("is found by name, and by no other name", () => {
    assert.strictEqual(WorkloadProfile.get("gpu"), WorkloadProfile.profiles.gpu)
    for (const name of ["GPU", "", "toString", "__proto__"]) assert.strictEqual(WorkloadProfile.get(name), undefined)
  })
})
