import { assert, describe, it } from "@effect/vitest"
import type { CommitError } from "@weft/kafka/KafkaError"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type { Broker } from "../../src/Client.ts"
import { codes } from "../../src/ErrorCode.ts"
import { makeCommit } from "../../src/internal/commits.ts"
import type { Identity } from "../../src/internal/membership.ts"
import { consumerPlan } from "../../src/Plan.ts"
import { advance, Answering } from "./fixtures.ts"

const { client } = Result.getOrThrow(consumerPlan(ConsumerSettings.make({ groupId: "g" }), {}))

const offsetsOf = (...topics: ReadonlyArray<string>) =>
  topics.map((topic) => ({ topic, partition: 0, offset: 7n, metadata: "" }))

const offsetMetadataTooLarge = 12

/** Commits where each topic is answered with the next of its codes, and with 0 after the last. */
const committing = Effect.fnUntraced(function*(
  answers: Readonly<Record<string, ReadonlyArray<number>>>,
  topics: ReadonlyArray<string>
) {
  const clock = yield* Clock.Clock
  const requests: Array<ReadonlyArray<string>> = []
  const refused: Array<string> = []
  const offsetCommit: Broker["offsetCommit"] = ({ topics }) => {
    const nth = (topic: string) => requests.filter((one) => one.includes(topic)).length
    const responses = topics.map(({ partitions, topic }) => ({
      topic,
      partitions: partitions.map(({ partition }) => ({ partition, errorCode: answers[topic]?.[nth(topic)] ?? 0 }))
    }))
    requests.push(topics.map(({ topic }) => topic))
    return Promise.resolve({ responses })
  }
  const identity: Identity = { memberId: "m", generation: 1 }
  const commit = makeCommit({
    coordinator: new Answering({ offsetCommit }).coordinator,
    membership: { identity: () => identity, refused: (_, reaction) => void refused.push(reaction) },
    groupId: "g",
    client,
    clock
  })
  const running = yield* Effect.forkChild(Effect.flip(commit(offsetsOf(...topics))))
  yield* advance(1_000)
  const exit = running.pollUnsafe()
  const error = exit?._tag === "Success" ? exit.value as CommitError : undefined
  yield* Fiber.interrupt(running)
  return { error, refused, requests }
})

describe("a commit of several partitions", () => {
  it.effect("says of which the broker took none, where it took the others", () =>
    Effect.gen(function*() {
      const { error, requests } = yield* committing({ gone: [codes.unknownTopicOrPartition] }, ["in", "gone", "out"])
      assert.deepStrictEqual(requests, [["in", "gone", "out"]])
      assert.strictEqual(error?.code, "UNKNOWN_TOPIC_OR_PARTITION")
      assert.deepStrictEqual(error?.offsets.map(({ topic }) => topic), ["gone"])
    }))

  it.effect("asks again for what may pass, and for nothing that was taken", () =>
    Effect.gen(function*() {
      const { error, requests } = yield* committing(
        { gone: Array(9).fill(codes.unknownTopicOrPartition), out: [codes.coordinatorLoadInProgress] },
        ["in", "gone", "out"]
      )
      assert.deepStrictEqual(requests, [["in", "gone", "out"], ["gone", "out"]])
      assert.deepStrictEqual(error?.offsets.map(({ topic }) => topic), ["gone"])
    }))

  it.effect("hears of the end of the membership before all else", () =>
    Effect.gen(function*() {
      const { error, refused } = yield* committing(
        { gone: [codes.unknownTopicOrPartition], in: [codes.illegalGeneration] },
        ["gone", "in"]
      )
      assert.deepStrictEqual(refused, ["lost"])
      assert.strictEqual(error?.code, "ILLEGAL_GENERATION")
    }))

  it.effect("hears of what can be mended before it hears of a topic that is not allowed", () =>
    Effect.gen(function*() {
      const { error } = yield* committing(
        { secret: [codes.topicAuthorizationFailed], in: [offsetMetadataTooLarge] },
        ["secret", "in"]
      )
      assert.strictEqual(error?.code, "OFFSET_METADATA_TOO_LARGE")
    }))

  it.effect("is made again where the broker did not expect it", () =>
    Effect.gen(function*() {
      const { requests } = yield* committing({ in: [codes.unknownServerError] }, ["in"])
      assert.deepStrictEqual(requests, [["in"], ["in"]])
    }))
})
