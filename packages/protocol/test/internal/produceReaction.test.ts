import { assert, describe, it } from "@effect/vitest"
import { errorCode } from "../../src/ErrorCode.ts"
import { protocolFailure } from "../../src/Failure.ts"
import { produceReaction } from "../../src/internal/produceReaction.ts"

const every = Array.from({ length: 130 }, (_, i) => i - 1).filter((code) => code !== 0)

const by = (wanted: string): ReadonlyArray<string> =>
  every.filter((code) => produceReaction(protocolFailure(code)) === wanted).map((code) => errorCode(code).name)

describe("what becomes of a record batch", () => {
  it("by the error code of its partition", () => {
    assert.deepStrictEqual(by("written"), ["DUPLICATE_SEQUENCE_NUMBER"])
    assert.deepStrictEqual(by("anew"), [
      "OUT_OF_ORDER_SEQUENCE_NUMBER",
      "INVALID_PRODUCER_EPOCH",
      "UNKNOWN_PRODUCER_ID"
    ])
    assert.deepStrictEqual(by("split"), ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"])
    assert.include(by("again"), "NOT_ENOUGH_REPLICAS_AFTER_APPEND")
    assert.include(by("elsewhere"), "NOT_LEADER_OR_FOLLOWER")
    assert.include(by("fail"), "TOPIC_AUTHORIZATION_FAILED")
  })

  it("a connection that broke says nothing of whether it was written", () => {
    assert.strictEqual(produceReaction({ _tag: "Connection", cause: new Error("closed") }), "again")
  })
})
