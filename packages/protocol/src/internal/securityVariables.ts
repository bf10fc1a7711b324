/** TLS and SASL from the environment: variables by Kafka's own names, checked as a whole before anything connects. */
import { InvalidSettingError } from "@weft/kafka/KafkaError"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { X509Certificate } from "node:crypto"
import { readFile } from "node:fs/promises"
import { createSecureContext } from "node:tls"
import { fileURLToPath } from "node:url"

const invalid = (setting: string, value: unknown, reason: string) => new InvalidSettingError({ setting, value, reason })

/** One that is empty is not set. */
export const variable = (name: string): Effect.Effect<string | undefined, InvalidSettingError> =>
  Config.option(Config.String(name)).pipe(
    Effect.mapError((error) => invalid(name, undefined, error.message)),
    Effect.map((value) => Option.getOrUndefined(Option.filter(value, (one) => one.trim() !== "")))
  )

const missing = (setting: string, given: string): InvalidSettingError =>
  invalid(setting, undefined, `is not set, but ${given} is`)

const protocols = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] as const

/** As much of the connection settings as is about security. */
interface SecuritySettings {
  readonly ssl: boolean | TlsSettings
  readonly sasl: SaslSettings | undefined
}

interface TlsSettings {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** PKCS #12. */
  readonly pfx?: Buffer
  readonly passphrase?: string
}

type SaslSettings =
  | {
    readonly mechanism: (typeof withPassword)[number]
    readonly username: string
    readonly password: Redacted.Redacted
  }
  | { readonly mechanism: "oauthbearer"; readonly token: Effect.Effect<Redacted.Redacted, unknown> }

export const securityFromEnvironment: Effect.Effect<SecuritySettings, InvalidSettingError> = Effect.gen(function*() {
  const given = yield* variable("KAFKA_SECURITY_PROTOCOL")
  const protocol = given === undefined ? undefined : protocols.find((one) => one === given.trim().toUpperCase())
  if (given !== undefined && protocol === undefined) {
    return yield* invalid("KAFKA_SECURITY_PROTOCOL", given, `is none of ${protocols.join(", ")}`)
  }
  const ssl = yield* tlsOf(protocol)
  const sasl = yield* saslFromEnvironment
  if (protocol?.startsWith("SASL") === true && sasl === undefined) {
    return yield* missing("KAFKA_SASL_MECHANISM", `KAFKA_SECURITY_PROTOCOL=${protocol}`)
  }
  if (protocol?.startsWith("SASL") === false && sasl !== undefined) {
    return yield* invalid("KAFKA_SECURITY_PROTOCOL", protocol, "has no SASL, but KAFKA_SASL_MECHANISM is set")
  }
  return { ssl, sasl }
})

// TLS

const tlsOf = Effect.fnUntraced(function*(
  protocol: (typeof protocols)[number] | undefined
): Effect.fn.Return<SecuritySettings["ssl"], InvalidSettingError> {
  const ssl = (yield* variable("KAFKA_SSL"))?.trim().toLowerCase()
  if (ssl !== undefined && ssl !== "true" && ssl !== "false") {
    return yield* invalid("KAFKA_SSL", ssl, "is neither true nor false")
  }
  const isOn = protocol === undefined ? ssl === "true" : protocol.endsWith("SSL")
  if (ssl !== undefined && isOn !== (ssl === "true")) {
    return yield* invalid("KAFKA_SECURITY_PROTOCOL", protocol, `contradicts KAFKA_SSL=${ssl}`)
  }
  const trusted = yield* authorities
  const own = yield* identity
  const set = trusted?.name ?? own?.name
  if (set === undefined) return isOn
  if (!isOn) {
    const wanted = protocol === undefined ? "KAFKA_SSL" : "KAFKA_SECURITY_PROTOCOL"
    return yield* invalid(wanted, protocol ?? ssl, `means no TLS, but ${set} is set`)
  }
  return { ...trusted?.options, ...own?.options }
})

/** TLS options, and the variable that they came by. */
interface Given {
  readonly name: string
  readonly options: TlsSettings
}

const read = (name: string, path: string): Effect.Effect<Buffer, InvalidSettingError> =>
  Effect.tryPromise({
    try: () => readFile(path.trim()),
    catch: (error) => invalid(name, path, `cannot be read: ${(error as Error).message}`)
  })

const readText = (name: string, path: string): Effect.Effect<string, InvalidSettingError> =>
  Effect.map(read(name, path), (bytes) => bytes.toString())

const authorities: Effect.Effect<Given | undefined, InvalidSettingError> = Effect.gen(function*() {
  const path = yield* variable("KAFKA_SSL_TRUSTSTORE_LOCATION")
  const text = yield* variable("KAFKA_SSL_TRUSTSTORE_CERTIFICATES")
  if (path !== undefined && text !== undefined) {
    return yield* invalid("KAFKA_SSL_TRUSTSTORE_LOCATION", path, "and KAFKA_SSL_TRUSTSTORE_CERTIFICATES are both set")
  }
  const name = path === undefined ? "KAFKA_SSL_TRUSTSTORE_CERTIFICATES" : "KAFKA_SSL_TRUSTSTORE_LOCATION"
  const ca = path === undefined ? text : yield* readText(name, path)
  if (ca === undefined) return undefined
  yield* Effect.try({
    // Node takes a text without any certificate for no authority at all, and says nothing.
    try: () => new X509Certificate(ca),
    catch: () => invalid(name, path, "holds no certificate in PEM")
  })
  return { name, options: { ca } }
})

const keystoreTypes = ["PEM", "PKCS12"] as const

const identity: Effect.Effect<Given | undefined, InvalidSettingError> = Effect.gen(function*() {
  const type = ((yield* variable("KAFKA_SSL_KEYSTORE_TYPE")) ?? "PEM").trim().toUpperCase()
  if (!keystoreTypes.some((one) => one === type)) {
    return yield* invalid("KAFKA_SSL_KEYSTORE_TYPE", type, `is none of ${keystoreTypes.join(", ")}`)
  }
  return yield* type === "PEM" ? pemIdentity : pkcs12Identity
})

const usable = (given: Given, path: string | undefined, what: string): Effect.Effect<Given, InvalidSettingError> =>
  Effect.try({
    try: () => {
      createSecureContext(given.options)
      return given
    },
    catch: (error) => invalid(given.name, path, `holds no ${what}: ${(error as Error).message}`)
  })

const pemIdentity: Effect.Effect<Given | undefined, InvalidSettingError> = Effect.gen(function*() {
  const path = yield* variable("KAFKA_SSL_KEYSTORE_LOCATION")
  const chain = yield* variable("KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN")
  const bareKey = yield* variable("KAFKA_SSL_KEYSTORE_KEY")
  const passphrase = yield* variable("KAFKA_SSL_KEY_PASSWORD")
  if (path !== undefined && (chain !== undefined || bareKey !== undefined)) {
    const other = chain === undefined ? "KAFKA_SSL_KEYSTORE_KEY" : "KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN"
    return yield* invalid("KAFKA_SSL_KEYSTORE_LOCATION", path, `and ${other} are both set`)
  }
  const name = path === undefined ? "KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN" : "KAFKA_SSL_KEYSTORE_LOCATION"
  const both = path === undefined ? undefined : yield* readText(name, path)
  const cert = both ?? chain
  const key = both ?? bareKey
  if (cert === undefined && key === undefined) {
    return passphrase === undefined
      ? undefined
      : yield* missing("KAFKA_SSL_KEYSTORE_LOCATION", "KAFKA_SSL_KEY_PASSWORD")
  }
  if (cert === undefined) return yield* missing("KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN", "KAFKA_SSL_KEYSTORE_KEY")
  if (key === undefined) return yield* missing("KAFKA_SSL_KEYSTORE_KEY", "KAFKA_SSL_KEYSTORE_CERTIFICATE_CHAIN")
  const options = { cert, key, ...(passphrase === undefined ? {} : { passphrase }) }
  return yield* usable({ name, options }, path, "certificate with its key in PEM")
})

const pkcs12Identity: Effect.Effect<Given, InvalidSettingError> = Effect.gen(function*() {
  const name = "KAFKA_SSL_KEYSTORE_LOCATION"
  const path = yield* variable(name)
  if (path === undefined) return yield* missing(name, "KAFKA_SSL_KEYSTORE_TYPE")
  const pfx = yield* read(name, path)
  const passphrase = yield* variable("KAFKA_SSL_KEYSTORE_PASSWORD")
  const options = { pfx, ...(passphrase === undefined ? {} : { passphrase }) }
  return yield* usable({ name, options }, path, "PKCS #12 that KAFKA_SSL_KEYSTORE_PASSWORD opens")
})

// SASL

const withPassword = ["plain", "scram-sha-256", "scram-sha-512"] as const
export const mechanisms = [...withPassword, "oauthbearer"] as const
const tokenUrl = "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL"

const saslFromEnvironment: Effect.Effect<SaslSettings | undefined, InvalidSettingError> = Effect.gen(function*() {
  const given = (yield* variable("KAFKA_SASL_MECHANISM"))?.trim()
  const username = yield* variable("KAFKA_SASL_USERNAME")
  const password = yield* variable("KAFKA_SASL_PASSWORD")
  const url = yield* variable(tokenUrl)
  const set = username !== undefined
    ? "KAFKA_SASL_USERNAME"
    : password !== undefined
    ? "KAFKA_SASL_PASSWORD"
    : url !== undefined
    ? tokenUrl
    : undefined
  if (given === undefined) return set === undefined ? undefined : yield* missing("KAFKA_SASL_MECHANISM", set)
  const mechanism = mechanisms.find((one) => one === given.toLowerCase())
  if (mechanism === undefined) {
    return yield* invalid("KAFKA_SASL_MECHANISM", given, `is none of ${mechanisms.join(", ")}`)
  }
  if (mechanism === "oauthbearer") {
    if (url === undefined) return yield* missing(tokenUrl, "KAFKA_SASL_MECHANISM=oauthbearer")
    return { mechanism, token: yield* tokenFile(url.trim()) }
  }
  if (username === undefined) return yield* missing("KAFKA_SASL_USERNAME", "KAFKA_SASL_MECHANISM")
  if (password === undefined) return yield* missing("KAFKA_SASL_PASSWORD", "KAFKA_SASL_MECHANISM")
  return { mechanism, username, password: Redacted.make(password) }
})

/** Whoever writes the file may write another token at any time. */
const tokenFile = (
  url: string
): Effect.Effect<Effect.Effect<Redacted.Redacted, unknown>, InvalidSettingError> =>
  Effect.try({
    try: () => fileURLToPath(url),
    // An endpoint's may hold a secret.
    catch: () =>
      invalid(tokenUrl, url.split(":", 1)[0], "is no file: URL; a program asks an endpoint by itself, in `sasl.token`")
  }).pipe(
    Effect.map((path) =>
      Effect.map(
        Effect.tryPromise(() => readFile(path, "utf8")),
        (text) => Redacted.make(text.trim())
      )
    )
  )
