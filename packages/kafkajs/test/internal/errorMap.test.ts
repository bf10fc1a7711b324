import { assert, describe, it } from "@effect/vitest"
import { isRetriable } from "@weft/kafka/KafkaError"
import { errorCode } from "@weft/protocol/ErrorCode"
import { adminError, commitError, consumerError, isRetriableFailure, produceError } from "@weft/protocol/Failure"
import { groupReaction } from "@weft/protocol/GroupReaction"
import { createRequire } from "node:module"
import { classify } from "../../src/internal/errorMap.ts"

interface Code {
  readonly type: string
  readonly code: number
  readonly retriable: boolean
}

const require = createRequire(import.meta.url)
const { createErrorFromCode, errorCodes } = require("kafkajs/src/protocol/error.js") as {
  readonly errorCodes: ReadonlyArray<Code>
  readonly createErrorFromCode: (code: number) => Error
}
const errors = require("kafkajs/src/errors.js") as Record<string, new(...args: ReadonlyArray<unknown>) => Error>

/** Where kafkajs keeps a name that Kafka has since changed. */
const renamed: Readonly<Record<string, string>> = {
  UNKNOWN: "UNKNOWN_SERVER_ERROR",
  NOT_LEADER_FOR_PARTITION: "NOT_LEADER_OR_FOLLOWER",
  GROUP_LOAD_IN_PROGRESS: "COORDINATOR_LOAD_IN_PROGRESS",
  GROUP_COORDINATOR_NOT_AVAILABLE: "COORDINATOR_NOT_AVAILABLE",
  NOT_COORDINATOR_FOR_GROUP: "NOT_COORDINATOR"
}

/** Where kafkajs thinks otherwise of trying again: after a rebalance, or a broker's surprise, the same may well succeed. */
const judgedOtherwise: ReadonlySet<string> = new Set(["REBALANCE_IN_PROGRESS", "UNKNOWN"])

const subject = { transport: "kafkajs", brokers: ["b:9092"], topic: "t", partition: 3, groupId: "g" }
const part = { topic: "t", partition: 3, offset: 7n }

describe("every error code of kafkajs", () => {
  for (const { code, retriable, type } of errorCodes) {
    it(`${code} ${type}`, () => {
      const name = renamed[type] ?? type
      assert.strictEqual(errorCode(code).name, name)
      assert.strictEqual(errorCode(code).retriable, retriable !== judgedOtherwise.has(type))
      const thrown = createErrorFromCode(code)
      // However kafkajs has wrapped it.
      for (
        const error of [
          thrown,
          new errors["KafkaJSNonRetriableError"]!(thrown, { cause: thrown }),
          new errors["KafkaJSNumberOfRetriesExceeded"]!(thrown, { retryCount: 5, retryTime: 1 })
        ]
      ) {
        const failure = classify(error)
        assert.deepStrictEqual(failure._tag === "Protocol" ? failure.code.name : failure._tag, name)
        const commit = commitError(failure, [part])
        assert.deepStrictEqual([commit._tag, commit.code, commit.retriable], [
          "CommitError",
          name,
          isRetriableFailure(failure)
        ])
        for (
          const mapped of [
            consumerError(failure, subject),
            produceError(failure, subject),
            adminError(failure, "describe", subject)
          ]
        ) {
          if (name.endsWith("_AUTHORIZATION_FAILED")) assert.strictEqual(mapped._tag, "AuthorizationError")
          if ("code" in mapped) assert.strictEqual(mapped.code, name)
          assert.isString(mapped.message)
          assert.isBoolean(isRetriable(mapped))
        }
      }
    })
  }

  const tagOf = (code: number) => consumerError(classify(createErrorFromCode(code)), subject)._tag
  it("those that have an error of their own", () => {
    assert.deepStrictEqual(
      [3, 17, 29, 30, 33, 34, 58, 22, 25, 26, 27, 81, 15, 76].map(tagOf),
      [
        "UnknownTopicError",
        "UnknownTopicError",
        "AuthorizationError",
        "AuthorizationError",
        "AuthenticationError",
        "AuthenticationError",
        "AuthenticationError",
        "GroupError",
        "GroupError",
        "GroupError",
        "GroupError",
        "GroupError",
        "GroupError",
        "TransportError"
      ]
    )
  })

  it("reactions of a member", () => {
    const reactions = Object.fromEntries(
      errorCodes.map(({ code }) => [errorCode(code).name, groupReaction(classify(createErrorFromCode(code)))])
        .filter(([, reaction]) => reaction !== "fail")
    )
    assert.deepStrictEqual(reactions, {
      UNKNOWN_SERVER_ERROR: "later",
      REQUEST_TIMED_OUT: "later",
      NETWORK_EXCEPTION: "later",
      COORDINATOR_LOAD_IN_PROGRESS: "later",
      COORDINATOR_NOT_AVAILABLE: "elsewhere",
      NOT_COORDINATOR: "elsewhere",
      ILLEGAL_GENERATION: "lost",
      UNKNOWN_MEMBER_ID: "forgotten",
      REBALANCE_IN_PROGRESS: "rejoin",
      GROUP_ID_NOT_FOUND: "forgotten"
    })
  })
})

describe("what is no error code", () => {
  const make = (name: string, ...args: ReadonlyArray<unknown>): Error => new errors[name]!(...args)

  it("connections that fail, close, time out or are not known", () => {
    for (
      const error of [
        make("KafkaJSConnectionError", "refused", { broker: "b:9092", code: "ECONNREFUSED" }),
        make("KafkaJSConnectionClosedError", "closed", { host: "b", port: 9092 }),
        make("KafkaJSRequestTimeoutError", "timed out"),
        make("KafkaJSBrokerNotFound", "not found"),
        make("KafkaJSNoBrokerAvailableError"),
        make("KafkaJSLockTimeout", "lock"),
        make("KafkaJSTopicMetadataNotLoaded", "not loaded")
      ]
    ) {
      assert.strictEqual(consumerError(classify(error), subject)._tag, "ConnectionError", error.name)
      assert.isTrue(isRetriable(commitError(classify(error), [part])), error.name)
      assert.isTrue(isRetriable(produceError(classify(error), subject)), error.name)
    }
  })

  it("a connection error inside the wrapper for too many retries", () => {
    const inner = make("KafkaJSConnectionError", "refused", { code: "ECONNREFUSED" })
    const error = consumerError(classify(make("KafkaJSNumberOfRetriesExceeded", inner, {})), subject)
    assert.strictEqual(error._tag, "ConnectionError")
    assert.include(error.message, "b:9092")
  })

  it("refused credentials, and what kafkajs has no code for", () => {
    assert.strictEqual(
      consumerError(classify(make("KafkaJSSASLAuthenticationError", "no")), subject)._tag,
      "AuthenticationError"
    )
    const unsupported = consumerError(
      classify(make("KafkaJSNotImplemented", "Snappy compression not implemented")),
      subject
    )
    assert.strictEqual(unsupported._tag, "UnsupportedError")
    assert.include(unsupported.message, "Snappy")
    assert.isFalse(isRetriable(unsupported))
  })

  it("a coordinator that is not found may be found later", () => {
    const failure = classify(make("KafkaJSGroupCoordinatorNotFound", "none"))
    const error = consumerError(failure, subject)
    assert.deepStrictEqual([error._tag, isRetriable(error), groupReaction(failure)], ["GroupError", true, "elsewhere"])
  })

  it("lists of errors speak by their first", () => {
    const code = createErrorFromCode(36)
    assert.strictEqual(tag(make("KafkaJSAggregateError", "many", [code])), "TOPIC_ALREADY_EXISTS")
    assert.strictEqual(
      tag(make("KafkaJSDeleteGroupsError", "many", [{ groupId: "g", error: createErrorFromCode(68) }])),
      "NON_EMPTY_GROUP"
    )
    assert.strictEqual(
      tag(make("KafkaJSDeleteTopicRecordsError", { partitions: [{ partition: 0, error: createErrorFromCode(1) }] })),
      "OFFSET_OUT_OF_RANGE"
    )
  })

  it("codes that kafkajs does not know keep their number", () => {
    assert.strictEqual(tag(createErrorFromCode(100)), "UNKNOWN_TOPIC_ID")
    assert.strictEqual(tag(createErrorFromCode(4711)), "ERROR_CODE_4711")
  })

  it("anything else, even what is no error or causes itself", () => {
    const circular = new Error("circular")
    Object.assign(circular, { cause: circular })
    for (const error of [circular, "text", undefined, null, new RangeError("stack")]) {
      const mapped = consumerError(classify(error), subject)
      assert.deepStrictEqual([mapped._tag, isRetriable(mapped)], ["TransportError", false])
    }
  })

  const tag = (error: Error): string => {
    const failure = classify(error)
    return failure._tag === "Protocol" ? failure.code.name : failure._tag
  }
})
