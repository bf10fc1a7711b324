import { assert, describe, it } from "@effect/vitest"
import { ConsumerEvent } from "@weft/kafka/ConsumerEvent"
import { TransportError, UnknownTopicError } from "@weft/kafka/KafkaError"
import { make as topicPartition } from "@weft/kafka/TopicPartition"
import * as Cause from "effect/Cause"
import * as Health from "../src/Health.ts"

const assigned = ConsumerEvent.Assigned({ memberId: "m", generation: 1, added: [], kept: [] })
const error = new TransportError({ transport: "t", reason: "silent", retriable: true, cause: "x" })
const crashed = ConsumerEvent.Crashed({ error, restartInMs: 100 })
const stalled = ConsumerEvent.Stalled({ topic: "t", partition: 1, offset: 5n, ageMs: 1, inFlight: 1, fiber: undefined })
const after = (...events: ReadonlyArray<ConsumerEvent>) => events.reduce(Health.observe, Health.initial)

describe("Health", () => {
  it("is started and ready with the first assignment, even an empty one", () => {
    assert.deepInclude(Health.initial, { started: false, ready: false, live: true })
    assert.deepInclude(after(assigned), { started: true, ready: true, live: true, reason: undefined })
  })
  it("is not ready while a crashed client is replaced, or after the membership was lost", () => {
    assert.deepInclude(after(assigned, crashed), { started: true, ready: false, live: true, reason: error.message })
    assert.isTrue(after(assigned, crashed, assigned).ready)
    const lost = ConsumerEvent.Lost({ partitions: [topicPartition("t", 1)] })
    assert.isFalse(after(assigned, lost).ready)
  })
  it("names stalled partitions until they move or are given up", () => {
    assert.deepStrictEqual(after(assigned, stalled, stalled).stalled, ["t-1"])
    // Others of the partition may go on, and be committed in the metadata.
    const committed = ConsumerEvent.Committed({ offsets: [{ topic: "t", partition: 1, offset: 5n }], durationMs: 1 })
    assert.deepStrictEqual(after(assigned, stalled, committed).stalled, ["t-1"])
    const ended = ConsumerEvent.StallEnded({ topic: "t", partition: 1, ageMs: 1 })
    assert.deepStrictEqual(after(assigned, stalled, ended).stalled, [])
    const revoked = ConsumerEvent.Revoked({ partitions: [topicPartition("t", 1)] })
    assert.deepStrictEqual(after(assigned, stalled, revoked).stalled, [])
    const other = ConsumerEvent.Revoked({ partitions: [topicPartition("t", 2)] })
    assert.deepStrictEqual(after(assigned, stalled, other).stalled, ["t-1"])
  })
  it("is not live once it has failed for good, whatever comes after", () => {
    const failed = Health.failed(after(assigned), Cause.fail(new UnknownTopicError({ topic: "t" })))
    assert.deepInclude(failed, { ready: false, live: false, reason: "topic \"t\" does not exist" })
    assert.deepInclude(Health.observe(failed, assigned), { ready: false, live: false })
    assert.deepInclude(Health.stopped(failed), { reason: "topic \"t\" does not exist" })
    assert.deepInclude(Health.stopped(after(assigned)), { ready: false, live: true, reason: "it was stopped" })
  })
})
