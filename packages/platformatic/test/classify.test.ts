import {
  AuthenticationError,
  MultipleErrors,
  NetworkError,
  ResponseError,
  TimeoutError,
  UnsupportedApiError,
  UserError
} from "@platformatic/kafka"
import { assert, describe, it } from "@effect/vitest"
import { consumerError } from "@weft/protocol/Failure"
import { classify } from "../src/internal/classify.ts"

const subject = { transport: "platformatic", brokers: ["b:9092"], topic: "t", groupId: "g" }
const heartbeat = 12
const response = (code: number) => new ResponseError(heartbeat, 4, { "/": [code, null] }, {})

const tagOf = (error: unknown) => consumerError(classify(error), subject)._tag

describe("what @platformatic/kafka throws", () => {
  it("error codes keep their names, however they are wrapped", () => {
    for (
      const error of [
        response(27),
        new MultipleErrors("failed 3 times", [response(27), response(27)]),
        new NetworkError("x", { cause: response(27) })
      ]
    ) {
      const failure = classify(error)
      assert.strictEqual(failure._tag === "Protocol" ? failure.code.name : failure._tag, "REBALANCE_IN_PROGRESS")
    }
    assert.strictEqual(tagOf(response(27)), "GroupError")
    assert.strictEqual(tagOf(response(30)), "AuthorizationError")
    assert.strictEqual(tagOf(response(3)), "UnknownTopicError")
  })

  it("connections that fail, close or time out", () => {
    const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" })
    for (
      const error of [
        refused,
        new NetworkError("Connection to b:9092 failed.", { cause: refused }),
        new TimeoutError("late"),
        new NetworkError("failed", { cause: new UserError("TLS handshake failed.") })
      ]
    ) assert.strictEqual(tagOf(error), "ConnectionError")
  })

  it("refused credentials are told from a handshake whose connection broke", () => {
    const refused = new AuthenticationError("SASL authentication failed.", { cause: response(58) })
    assert.strictEqual(tagOf(new NetworkError("failed", { cause: refused })), "AuthenticationError")
    const broken = new AuthenticationError("Cannot find a suitable SASL mechanism.", {
      cause: new NetworkError("Connection closed")
    })
    assert.strictEqual(tagOf(new NetworkError("failed", { cause: broken })), "ConnectionError")
  })

  it("a broker that is too old, and anything else", () => {
    assert.strictEqual(tagOf(new UnsupportedApiError("a broker")), "UnsupportedError")
    const circular = new Error("circular")
    Object.assign(circular, { cause: circular })
    for (const error of [circular, "text", undefined, null, new RangeError("stack")]) {
      assert.strictEqual(tagOf(error), "TransportError")
    }
  })
})
