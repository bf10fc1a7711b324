import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import type { Failure } from "../src/Failure.ts"
import { bearerToken, hinted, isTlsRecord, NoToken, refusal, TlsExpected } from "../src/Handshake.ts"

const thrown = (code: string, message = "x") => Object.assign(new Error(message), { code })
const messageOf = (failure: Failure | undefined) => (failure?.cause as Error | undefined)?.message

describe("refusal", () => {
  it("is what Node says of a certificate, and what the broker says of ours", () => {
    for (
      const code of [
        "DEPTH_ZERO_SELF_SIGNED_CERT",
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        "CERT_HAS_EXPIRED",
        "ERR_TLS_CERT_ALTNAME_INVALID",
        "ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE",
        "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE",
        "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
        "ERR_SSL_WRONG_VERSION_NUMBER"
      ]
    ) assert.strictEqual(refusal(thrown(code))?._tag, "Authentication", code)
  })

  it("is no broken connection", () => {
    for (
      const code of ["ECONNRESET", "EPIPE", "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "ERR_SSL_INTERNAL_ERROR"]
    ) {
      assert.strictEqual(refusal(thrown(code)), undefined, code)
    }
    assert.strictEqual(refusal(new Error("CERT_HAS_EXPIRED")), undefined)
  })

  it("says what OpenSSL says, and not where in its sources", () => {
    const message =
      "40C3:error:0A000412:SSL routines:ssl3_read_bytes:ssl/tls alert bad certificate:../rec_layer_s3.c:918:\n"
    assert.strictEqual(
      messageOf(refusal(thrown("ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE", message))),
      "the TLS handshake failed: ssl/tls alert bad certificate"
    )
  })

  it("a token that is late may come yet; one that is refused to us may not", () => {
    assert.strictEqual(refusal(new NoToken("late", true))?._tag, "Connection")
    assert.strictEqual(refusal(new NoToken("none", false))?._tag, "Authentication")
    assert.strictEqual(refusal(new TlsExpected())?._tag, "Authentication")
  })
})

describe("isTlsRecord", () => {
  it("knows alerts and handshakes of all versions, and no answer of Kafka's", () => {
    assert.isTrue(isTlsRecord(Buffer.from([0x15, 3, 3, 0, 2])))
    assert.isTrue(isTlsRecord(Buffer.from([0x16, 3, 1, 0, 2])))
    assert.isFalse(isTlsRecord(Buffer.from([0, 0, 1, 0x15, 3])))
    assert.isFalse(isTlsRecord(Buffer.from([0x15, 3])))
    assert.isFalse(isTlsRecord(Buffer.alloc(0)))
  })
})

describe("hinted", () => {
  const closed: Failure = { _tag: "Connection", cause: new Error("Connection closed") }
  const noTls: Failure = {
    _tag: "Connection",
    cause: new Error("Client network socket disconnected before secure TLS connection was established")
  }

  it("names what a listener of another protocol would look like", () => {
    assert.match(messageOf(hinted(closed, { tls: false, sasl: false }, true))!, /closed \(.*asks for SASL/)
    assert.match(messageOf(hinted(noTls, { tls: true, sasl: true }, false))!, /established \(a listener without TLS/)
  })

  it("leaves alone what cannot be that", () => {
    for (
      const [failure, security, greeted] of [
        [closed, { tls: true, sasl: true }, true],
        [closed, { tls: true, sasl: false }, false],
        [{ _tag: "Connection", cause: new Error("no answer within 5 ms") }, { tls: false, sasl: false }, true],
        [{ _tag: "Authentication", cause: new Error("closed") }, { tls: false, sasl: false }, true]
      ] as const
    ) assert.strictEqual(hinted(failure, security, greeted), failure)
  })
})

describe("bearerToken", () => {
  it.effect("is the token, or why there is none", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* bearerToken(Effect.succeed(Redacted.make("t")), 1000), "t")
      const failed = yield* Effect.flip(bearerToken(Effect.fail("closed"), 1000))
      assert.deepStrictEqual([failed.message, failed.isLate], ["there is no token: closed", false])
      const rejected = Effect.tryPromise((): Promise<Redacted.Redacted> => Promise.reject(new Error("no file")))
      assert.strictEqual((yield* Effect.flip(bearerToken(rejected, 1000))).message, "there is no token: no file")
      const died = yield* Effect.flip(bearerToken(Effect.die("broken"), 1000))
      assert.deepStrictEqual([died.message, died.isLate], ["there is no token: broken", false])
    }))

  it.effect("comes in time or not at all", () =>
    Effect.gen(function*() {
      const late = yield* Effect.forkChild(Effect.flip(bearerToken(Effect.never, 1000)))
      yield* TestClock.adjust(1000)
      assert.isTrue((yield* Fiber.join(late)).isLate)
    }))
})
