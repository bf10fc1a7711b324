import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { inspect } from "node:util"
import * as ConnectionSettings from "../src/ConnectionSettings.ts"
import { certificate, encryptedKey, key, passphrase } from "./support/identity.ts"

const brokers = { KAFKA_BROKERS: "b:1" }
const scram = { KAFKA_SASL_MECHANISM: "SCRAM-SHA-256", KAFKA_SASL_USERNAME: "u", KAFKA_SASL_PASSWORD: "p-4-ss" }
const secure = { ...brokers, KAFKA_SECURITY_PROTOCOL: "SSL" }

const read = (env: Readonly<Record<string, string>>) =>
  ConnectionSettings.fromEnvironment.pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "weft-settings-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

describe("fromEnvironment", () => {
  it.effect("the security protocol says whether there are TLS and SASL", () =>
    Effect.gen(function*() {
      const of = (env: Readonly<Record<string, string>>) =>
        Effect.map(read({ ...brokers, ...env }), ({ sasl, ssl }) => [ssl, sasl?.mechanism])
      assert.deepStrictEqual(yield* of({}), [false, undefined])
      assert.deepStrictEqual(yield* of({ KAFKA_SECURITY_PROTOCOL: "plaintext" }), [false, undefined])
      assert.deepStrictEqual(yield* of({ KAFKA_SECURITY_PROTOCOL: "SSL" }), [true, undefined])
      assert.deepStrictEqual(yield* of({ ...scram, KAFKA_SECURITY_PROTOCOL: "SASL_SSL" }), [true, "scram-sha-256"])
      assert.deepStrictEqual(yield* of({ ...scram, KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT" }), [
        false,
        "scram-sha-256"
      ])
      assert.deepStrictEqual(yield* of({ ...scram, KAFKA_SSL: "true" }), [true, "scram-sha-256"])
      assert.deepStrictEqual(yield* of({ KAFKA_SECURITY_PROTOCOL: "SSL", KAFKA_SSL: "true" }), [true, undefined])
    }))

  it.effect("certificates come in themselves or from files", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const [ca, both] = [join(path, "ca.pem"), join(path, "both.pem")]
      writeFileSync(ca, certificate)
      writeFileSync(both, key + certificate)
      assert.deepStrictEqual((yield* read({ ...secure, KAFKA_SSL_TRUSTSTORE_LOCATION: ca })).ssl, { ca: certificate })
      assert.deepStrictEqual((yield* read({ ...secure, KAFKA_SSL_TRUSTSTORE_CERTIFICATES: certificate })).ssl, {
        ca: certificate
      })
      assert.deepStrictEqual((yield* read({ ...secure, KAFKA_SSL_KEYSTORE_LOCATION: both })).ssl, {
        cert: key + certificate,
        key: key + certificate
      })
      const encrypted = yield* read({
        ...secure,
        KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN: certificate,
        KAFKA_SSL_KEYSTORE_KEY: encryptedKey,
        KAFKA_SSL_KEY_PASSWORD: passphrase
      })
      assert.deepStrictEqual(encrypted.ssl, { cert: certificate, key: encryptedKey, passphrase })
    }).pipe(Effect.scoped))

  it.effect("a token is read from its file at each authentication", () =>
    Effect.gen(function*() {
      const path = join(yield* folder, "token")
      const { sasl } = yield* read({
        ...brokers,
        KAFKA_SASL_MECHANISM: "oauthbearer",
        KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: pathToFileURL(path).href
      })
      assert(sasl?.mechanism === "oauthbearer")
      yield* Effect.flip(sasl.token)
      for (const token of ["first", "second"]) {
        writeFileSync(path, `${token}\n`)
        assert.strictEqual(Redacted.value(yield* sasl.token), token)
      }
    }).pipe(Effect.scoped))

  const refusals: ReadonlyArray<readonly [env: Readonly<Record<string, string>>, setting: string, reason: RegExp]> = [
    [{ KAFKA_SECURITY_PROTOCOL: "TLS" }, "KAFKA_SECURITY_PROTOCOL", /none of PLAINTEXT, SSL/],
    [{ KAFKA_SECURITY_PROTOCOL: "SSL", KAFKA_SSL: "false" }, "KAFKA_SECURITY_PROTOCOL", /contradicts KAFKA_SSL=false/],
    [{ KAFKA_SECURITY_PROTOCOL: "PLAINTEXT", KAFKA_SSL: "true" }, "KAFKA_SECURITY_PROTOCOL", /contradicts/],
    [{ KAFKA_SECURITY_PROTOCOL: "SASL_SSL" }, "KAFKA_SASL_MECHANISM", /KAFKA_SECURITY_PROTOCOL=SASL_SSL is/],
    [{ ...scram, KAFKA_SECURITY_PROTOCOL: "SSL" }, "KAFKA_SECURITY_PROTOCOL", /has no SASL/],
    [{ KAFKA_SSL_TRUSTSTORE_CERTIFICATES: certificate }, "KAFKA_SSL", /means no TLS, but KAFKA_SSL_TRUSTSTORE_CERT/],
    [
      { KAFKA_SECURITY_PROTOCOL: "SSL", KAFKA_SSL_TRUSTSTORE_LOCATION: "/nowhere.pem" },
      "KAFKA_SSL_TRUSTSTORE_LOCATION",
      /cannot be read: ENOENT/
    ],
    [
      { KAFKA_SECURITY_PROTOCOL: "SSL", KAFKA_SSL_TRUSTSTORE_CERTIFICATES: "garbage" },
      "KAFKA_SSL_TRUSTSTORE_CERTIFICATES",
      /no certificate in PEM/
    ],
    [
      { ...secure, KAFKA_SSL_TRUSTSTORE_LOCATION: "/x", KAFKA_SSL_TRUSTSTORE_CERTIFICATES: certificate },
      "KAFKA_SSL_TRUSTSTORE_LOCATION",
      /both set/
    ],
    [{ ...secure, KAFKA_SSL_KEYSTORE_KEY: key }, "KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN", /is not set/],
    [{ ...secure, KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN: certificate }, "KAFKA_SSL_KEYSTORE_KEY", /is not set/],
    [
      { ...secure, KAFKA_SSL_KEYSTORE_LOCATION: "/x", KAFKA_SSL_KEYSTORE_KEY: key },
      "KAFKA_SSL_KEYSTORE_LOCATION",
      /both/
    ],
    [{ ...secure, KAFKA_SSL_KEY_PASSWORD: passphrase }, "KAFKA_SSL_KEYSTORE_LOCATION", /is not set/],
    [
      {
        ...secure,
        KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN: certificate,
        KAFKA_SSL_KEYSTORE_KEY: encryptedKey,
        KAFKA_SSL_KEY_PASSWORD: "p-4-ss"
      },
      "KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN",
      /no certificate with its key/
    ],
    [{ ...secure, KAFKA_SSL_KEYSTORE_TYPE: "JKS" }, "KAFKA_SSL_KEYSTORE_TYPE", /none of PEM, PKCS12/],
    [{ ...secure, KAFKA_SSL_KEYSTORE_TYPE: "PKCS12" }, "KAFKA_SSL_KEYSTORE_LOCATION", /is not set/],
    [
      { KAFKA_SASL_MECHANISM: "oauthbearer" },
      "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL",
      /KAFKA_SASL_MECHANISM=oauthbearer is/
    ],
    [
      {
        KAFKA_SASL_MECHANISM: "oauthbearer",
        KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: "https://client:p-4-ss@issuer.example/token"
      },
      "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL",
      /no file: URL/
    ],
    [{ KAFKA_SASL_PASSWORD: "p-4-ss" }, "KAFKA_SASL_MECHANISM", /KAFKA_SASL_PASSWORD is/]
  ]
  for (const [env, setting, reason] of refusals) {
    it.effect(`${Object.keys(env).join(", ")}: ${setting} ${reason.source}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(read({ ...brokers, ...env }))
        assert.strictEqual(error.setting, setting)
        assert.match(error.message, reason)
        for (const secret of ["p-4-ss", key, encryptedKey, passphrase]) {
          assert.notInclude(error.message + inspect(error), secret)
        }
      }))
  }
})

describe("check", () => {
  const tls = (ssl: ConnectionSettings.ConnectionSettings["ssl"]) =>
    ConnectionSettings.check("brokers", { brokers: ["b:1"], ssl })

  it.effect("takes what Node can make a connection with", () =>
    Effect.gen(function*() {
      yield* tls(true)
      yield* tls({ ca: certificate, cert: certificate, key })
      yield* tls({ cert: certificate, key: encryptedKey, passphrase })
    }))

  it.effect("refuses credentials that lack a part, as a program without types may give them", () =>
    Effect.gen(function*() {
      const password = Redacted.make("p-4-ss")
      for (
        const [sasl, setting] of [
          [{ mechanism: "SCRAM", username: "u", password }, "sasl.mechanism"],
          [{ mechanism: "plain", password }, "sasl.username"],
          [{ mechanism: "plain", username: "u", password: Redacted.make(undefined) }, "sasl.password"]
        ] as const
      ) {
        const error = yield* Effect.flip(
          ConnectionSettings.check("brokers", { brokers: ["b:1"], sasl: sasl as unknown as ConnectionSettings.Sasl })
        )
        assert.strictEqual(error.setting, setting)
        assert.notInclude(inspect(error) + error.message, "p-4-ss")
      }
      const sasl: ConnectionSettings.Sasl = { mechanism: "plain", username: "u", password }
      yield* ConnectionSettings.check("brokers", { brokers: ["b:1"], sasl })
    }))

  it.effect("refuses, before anything connects, what it cannot", () =>
    Effect.gen(function*() {
      for (const ssl of [{ cert: "garbage" }, { key: encryptedKey, passphrase: "wrong" }, { pfx: Buffer.from("x") }]) {
        const error = yield* Effect.flip(tls(ssl))
        assert.deepStrictEqual([error._tag, error.setting], ["InvalidSettingError", "ssl"])
        assert.match(error.message, /the TLS options cannot be used/)
      }
    }))
})
