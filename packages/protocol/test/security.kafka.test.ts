/** TLS, SASL and ACLs, on both transports and a real broker of this file's own. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Transport, type TransportProducer } from "@weft/kafka/Transport"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Tracer from "effect/Tracer"
import { Buffer } from "node:buffer"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { inspect } from "node:util"
import { canHaveKafkaJars, findJava } from "../../../scripts/servers/kafkaJars.ts"
import { type SecuredKafka, startSecuredKafka } from "../../../scripts/servers/securedKafka.ts"
import { freshGroup, freshName } from "../../../test-support/servers.ts"
import type { ConnectionSettings } from "../src/ConnectionSettings.ts"
import { runCommand, runProgram } from "./support/programs.ts"
import {
  allow,
  createTopic,
  disallow,
  failureOf,
  member,
  numbersOf,
  producerSettings,
  record,
  transports,
  unsecuredToken,
  until,
  withPassword,
  withToken
} from "./support/secured.ts"

const java = await findJava()

const users = { weft: "Th3-p4ssw0rd-of-weft", reader: "Th3-p4ssw0rd-of-reader" }
const wrong = "N0-p4ssw0rd-at-all"
/** A quarter of it is left when it is renewed: a busy machine is not that late. */
const sessionMs = 5000

let kafka: SecuredKafka

const tls = () => ({ ca: kafka.authority.valid })
const identity = () => ({ pfx: readFileSync(kafka.client.keystore), passphrase: kafka.client.passphrase })

/** `localhost` is not what the certificate is for. */
const byAnotherName = (addresses: ReadonlyArray<string>) =>
  addresses.map((address) => address.replace("127.0.0.1", "localhost"))

const saslSsl = (sasl: ConnectionSettings["sasl"]): ConnectionSettings => ({
  brokers: kafka.addressesOf("SASL_SSL"),
  ssl: tls(),
  sasl
})

const scram = (user: keyof typeof users = "weft") => withPassword("scram-sha-512", user, users[user])

/** Settings are made when the broker is there. */
type Given = () => ConnectionSettings

const ways: Readonly<Record<string, Given>> = {
  "SASL_SSL, PLAIN": () => saslSsl(withPassword("plain", "weft", users.weft)),
  "SASL_SSL, SCRAM-SHA-256": () => saslSsl(withPassword("scram-sha-256", "weft", users.weft)),
  "SASL_SSL, SCRAM-SHA-512": () => saslSsl(scram()),
  "SASL_SSL, OAUTHBEARER": () => saslSsl(withToken(() => unsecuredToken("weft", 60))),
  "SASL_PLAINTEXT, SCRAM-SHA-512": () => ({ brokers: kafka.addressesOf("SASL_PLAINTEXT"), sasl: scram() }),
  "SSL with a client's certificate": () => ({
    brokers: kafka.addressesOf("MUTUAL"),
    ssl: { ...tls(), ...identity() }
  })
}

const badToken = `${unsecuredToken("weft", 60)}${wrong}`

/** Each with the tag and the words of the error. */
const mistakes: Readonly<Record<string, readonly [given: Given, tag: string, message: RegExp]>> = {
  "a wrong password, PLAIN": [
    () => saslSsl(withPassword("plain", "weft", wrong)),
    "AuthenticationError",
    /Invalid username or password/
  ],
  "a wrong password, SCRAM": [
    () => saslSsl(withPassword("scram-sha-256", "weft", wrong)),
    "AuthenticationError",
    /invalid credentials/
  ],
  "an unknown user": [
    () => saslSsl(withPassword("scram-sha-512", "nobody", wrong)),
    "AuthenticationError",
    /invalid credentials/
  ],
  "a token that is none": [() => saslSsl(withToken(() => badToken)), "AuthenticationError", /invalid_token/],
  "a token that has expired": [
    () => saslSsl(withToken(() => unsecuredToken("weft", -60))),
    "AuthenticationError",
    /invalid_token/
  ],
  "no token": [
    () => saslSsl({ mechanism: "oauthbearer", token: Effect.fail("the issuer is closed") }),
    "AuthenticationError",
    /no token: the issuer is closed/
  ],
  "a token that does not come": [
    () => ({ ...saslSsl({ mechanism: "oauthbearer", token: Effect.never }), authenticationTimeoutMs: 3000 }),
    "ConnectionError",
    /no token within 3000 ms/
  ],
  "a mechanism that the broker does not offer": [
    () => ({ brokers: kafka.addressesOf("SASL_PLAINTEXT"), sasl: withToken(() => unsecuredToken("weft", 60)) }),
    "AuthenticationError",
    /mechanism/
  ],
  "an authority that nobody told of": [
    () => ({ ...saslSsl(scram()), ssl: true }),
    "AuthenticationError",
    /certificate is not accepted: .*self-signed/
  ],
  "another authority": [
    () => ({ ...saslSsl(scram()), ssl: { ca: kafka.authority.expired } }),
    "AuthenticationError",
    /certificate is not accepted: .*self-signed/
  ],
  "a certificate for another host": [
    () => ({ ...saslSsl(scram()), brokers: byAnotherName(kafka.addressesOf("SASL_SSL")) }),
    "AuthenticationError",
    /certificate is not accepted: .*localhost/
  ],
  "a certificate that has expired": [
    () => ({ brokers: kafka.addressesOf("EXPIRED"), ssl: { ca: kafka.authority.expired } }),
    "AuthenticationError",
    /certificate is not accepted: .*expired/
  ],
  "no certificate where one is asked for": [
    () => ({ brokers: kafka.addressesOf("MUTUAL"), ssl: tls() }),
    "AuthenticationError",
    /TLS handshake failed: .*certificate/
  ],
  "no TLS where it is spoken": [
    () => ({ brokers: kafka.addressesOf("MUTUAL") }),
    "AuthenticationError",
    /speaks TLS .* set ssl/
  ],
  "no TLS where it is spoken, with SASL": [
    () => ({ brokers: kafka.addressesOf("SASL_SSL"), sasl: scram() }),
    "AuthenticationError",
    /speaks TLS .* set ssl/
  ],
  "TLS where it is not spoken": [
    () => ({ brokers: kafka.brokers, ssl: tls() }),
    "ConnectionError",
    /a listener without TLS/
  ],
  "no SASL where it is asked for": [
    () => ({ brokers: kafka.addressesOf("SASL_SSL"), ssl: tls() }),
    "ConnectionError",
    /a listener that asks for SASL/
  ],
  "SASL where it is not asked for": [
    () => ({ brokers: kafka.brokers, sasl: scram() }),
    "AuthenticationError",
    /SASL state/
  ]
}

/** A secret as it may look after it has gone through a buffer. */
const shapesOf = (secret: string): ReadonlyArray<string> => {
  const bytes = Buffer.from(secret)
  const hex = bytes.toString("hex")
  return [secret, bytes.toString("base64").slice(0, -4), hex, hex.replace(/..(?=.)/g, "$& ")]
}

const secrets = [...Object.values(users), wrong].flatMap(shapesOf)

const assertNoSecret = (what: unknown): void => {
  const text = inspect(what, { depth: Infinity, showHidden: true, maxArrayLength: null, maxStringLength: null }) +
    JSON.stringify(what)
  for (const secret of secrets) assert.notInclude(text, secret)
}

/** All that is logged and traced. */
const listening = () => {
  const said: Array<unknown> = []
  const spans: Array<unknown> = []
  const logger = Logger.make((options) => {
    said.push([options.message, inspect(options.cause, { depth: Infinity }), Logger.formatStructured.log(options)])
  })
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span.attributes, span.name)
      return span
    }
  })
  return { said, spans, layer: Logger.layer([logger]), tracer }
}

describe.skipIf(java === undefined || !canHaveKafkaJars())("a secured broker", () => {
  beforeAll(async () => {
    kafka = await startSecuredKafka(java!, { users, superUsers: ["weft", "client"], sessionMs })
  }, 300_000)
  afterAll(() => kafka.stop())

  const work = Effect.gen(function*() {
    const transport = yield* Transport
    const [topic, group] = [freshName("secured"), freshGroup("secured")]
    const admin = yield* transport.admin
    yield* admin.createTopics([{ name: topic, partitions: 1 }])
    const producer = yield* transport.producer(producerSettings)
    yield* producer.send([{ topic, partition: 0, records: [0, 1, 2].map(record) }])
    const probe = yield* member(topic, group)
    yield* until(() => probe.records.length >= 3)
    yield* probe.consumer.commit([{ topic, partition: 0, offset: 2n, metadata: "" }])
    assert.deepStrictEqual(numbersOf(probe), [0, 1, 2])
    assert.deepStrictEqual((yield* admin.committedOffsets(group)).map(({ offset }) => offset), [2n])
    assert.strictEqual((yield* admin.describeGroups([group]))[0]!.members.length, 1)
  })

  for (const { layer, layerConfig, name } of transports) {
    describe(`on ${name}`, () => {
      for (const [way, given] of Object.entries(ways)) {
        it.live(`${way}: writes, reads, commits and administers`, () =>
          Effect.suspend(() => Effect.provide(Effect.scoped(work), layer(given()))))
      }

      it.live("the environment alone is enough", () =>
        Effect.gen(function*() {
          const folder = mkdtempSync(join(tmpdir(), "weft-secured-"))
          yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
          const [authority, token] = [join(folder, "ca.pem"), join(folder, "token")]
          writeFileSync(authority, kafka.authority.valid)
          writeFileSync(token, `${unsecuredToken("weft", 60)}\n`)
          const trusted = { KAFKA_SSL_TRUSTSTORE_LOCATION: authority }
          const environments: ReadonlyArray<Readonly<Record<string, string>>> = [
            {
              ...trusted,
              KAFKA_BROKERS: kafka.addressesOf("SASL_SSL").join(),
              KAFKA_SECURITY_PROTOCOL: "SASL_SSL",
              KAFKA_SASL_MECHANISM: "SCRAM-SHA-256",
              KAFKA_SASL_USERNAME: "weft",
              KAFKA_SASL_PASSWORD: users.weft
            },
            {
              ...trusted,
              KAFKA_BROKERS: kafka.addressesOf("SASL_SSL").join(),
              KAFKA_SSL: "true",
              KAFKA_SASL_MECHANISM: "OAUTHBEARER",
              KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: pathToFileURL(token).href
            },
            {
              ...trusted,
              KAFKA_BROKERS: kafka.addressesOf("MUTUAL").join(),
              KAFKA_SECURITY_PROTOCOL: "SSL",
              KAFKA_SSL_KEYSTORE_TYPE: "PKCS12",
              KAFKA_SSL_KEYSTORE_LOCATION: kafka.client.keystore,
              KAFKA_SSL_KEYSTORE_PASSWORD: kafka.client.passphrase
            }
          ]
          for (const env of environments) {
            const cluster = yield* Effect.gen(function*() {
              return yield* (yield* (yield* Transport).admin).describeCluster
            }).pipe(
              Effect.scoped,
              Effect.provide(
                Layer.provide(layerConfig, ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
              )
            )
            assert.deepStrictEqual(cluster.brokers.map(({ host, port }) => `${host}:${port}`), [env["KAFKA_BROKERS"]])
          }
        }).pipe(Effect.scoped))

      for (const [mistake, [given, tag, message]] of Object.entries(mistakes)) {
        it.live(`${mistake}: ${tag}, soon, and no secret is told`, () =>
          Effect.gen(function*() {
            const { layer: listener, said, spans, tracer } = listening()
            const errors = yield* Effect.gen(function*() {
              const transport = yield* Transport
              const probe = yield* member("t", "g")
              const producer = yield* transport.producer(producerSettings)
              const admin = yield* transport.admin
              const [sent, listed] = yield* Effect.all([
                Effect.flip(producer.send([{ topic: "t", partition: 0, records: [record(0)] }])),
                Effect.flip(admin.listTopics),
                until(() => probe.ended() !== undefined)
              ], { concurrency: "unbounded" })
              return [failureOf(probe)!, sent, listed]
            }).pipe(
              Effect.scoped,
              Effect.withSpan("all of it"),
              Effect.withTracer(tracer),
              Effect.provide([layer(given()), listener]),
              // Long before a record would be given up.
              Effect.timeout("60 seconds")
            )
            for (const error of errors) {
              assert.strictEqual(error._tag, tag, error.message)
              assert.match(error.message, message)
            }
            assertNoSecret([errors, said, spans])
          }))
      }

      it.live("who may not read a topic or a group, or write, is told so by name", () =>
        Effect.gen(function*() {
          const [topic, group] = [freshName("closed"), freshGroup("closed")]
          yield* createTopic(kafka.brokers, topic)
          const transport = yield* Transport
          const attempt = Effect.scoped(Effect.gen(function*() {
            const probe = yield* member(topic, group)
            yield* until(() => probe.ended() !== undefined)
            return failureOf(probe)!
          }))
          const told = (error: { readonly _tag: string; readonly resource?: string }) => [error._tag, error.resource]

          // What cannot even be described might as well not exist.
          assert.deepStrictEqual(told(yield* attempt), ["AuthorizationError", `topic ${topic}`])
          yield* allow(kafka.brokers, [{ user: "reader", resource: "topic", name: topic, operation: "describe" }])
          assert.deepStrictEqual(told(yield* attempt), ["AuthorizationError", `group ${group}`])
          yield* allow(kafka.brokers, [{ user: "reader", resource: "group", name: group, operation: "read" }])
          assert.deepStrictEqual(told(yield* attempt), ["AuthorizationError", `topic ${topic}`])

          const producer = yield* transport.producer(producerSettings)
          const parts = [{ topic, partition: 0, records: [record(0)] }]
          assert.include(["cluster", `topic ${topic}`], told(yield* Effect.flip(producer.send(parts)))[1])
          const admin = yield* transport.admin
          assert.strictEqual(
            (yield* Effect.flip(admin.createTopics([{ name: freshName("not") }])))._tag,
            "AuthorizationError"
          )
          assert.strictEqual((yield* Effect.flip(admin.deleteGroups([group])))._tag, "AuthorizationError")

          const reading = [{ user: "reader", resource: "topic", name: topic, operation: "read" }] as const
          yield* allow(kafka.brokers, [
            ...reading,
            { user: "reader", resource: "topic", name: topic, operation: "write" }
          ])
          const again = yield* transport.producer(producerSettings)
          yield* again.send(parts)
          const probe = yield* member(topic, group)
          yield* until(() => probe.records.length === 1)
          yield* disallow(kafka.brokers, reading)
          yield* until(() => probe.ended() !== undefined)
          assert.deepStrictEqual(told(failureOf(probe)!), ["AuthorizationError", `topic ${topic}`])
        }).pipe(Effect.scoped, Effect.provide(layer(saslSsl(scram("reader"))))))
    })
  }

  /** Writes numbers for so long, and answers how many it has been. */
  const write = (producer: TransportProducer, topic: string, forMs: number) =>
    Effect.gen(function*() {
      const end = performance.now() + forMs
      let count = 0
      for (; performance.now() < end; count++) {
        yield* producer.send([{ topic, partition: 0, records: [record(count)] }])
        yield* Effect.sleep(10)
      }
      return count
    })

  /** A member of a group of its own that has its partition, and who writes to that. */
  const open = (prefix: string, groupProtocol: "classic" | "consumer" = "classic") =>
    Effect.gen(function*() {
      const [topic, group] = [freshName(prefix), freshGroup(prefix)]
      yield* createTopic(kafka.brokers, topic)
      const producer = yield* (yield* Transport).producer(producerSettings)
      yield* producer.partitionCount(topic)
      const probe = yield* member(topic, group, { groupProtocol })
      yield* until(() => probe.held().size === 1)
      return { topic, producer, probe }
    })

  const sessions: Readonly<Record<string, Given>> = {
    "PLAIN": () => saslSsl(withPassword("plain", "weft", users.weft)),
    "SCRAM-SHA-512": () => saslSsl(scram()),
    "OAUTHBEARER": () => saslSsl(withToken(() => unsecuredToken("weft", 60)))
  }
  const cases = transports.flatMap(({ groupProtocols, layer, name }) =>
    groupProtocols.flatMap((groupProtocol) =>
      Object.entries(sessions).map(([mechanism, given]) => ({
        layer,
        given,
        groupProtocol,
        name: `${name}, ${mechanism}, ${groupProtocol}`
      }))
    )
  )

  it.live("sessions that end every few seconds are renewed on the same connections, and no record is lost or repeated", () =>
    Effect.gen(function*() {
      let sockets = 0
      const count = () => {
        sockets++
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => subscribe("net.client.socket", count)),
        () => Effect.sync(() => unsubscribe("net.client.socket", count))
      )
      const opened = yield* Effect.forEach(
        cases,
        ({ given, groupProtocol, layer, name }) =>
          Effect.gen(function*() {
            const one = yield* open("renewed", groupProtocol)
            const written = yield* write(one.producer, one.topic, 100)
            yield* until(() => one.probe.records.length >= written)
            return { name, ...one }
          }).pipe(Effect.provide(layer({ ...given(), brokers: kafka.addressesOf("BRIEF") }))),
        { concurrency: "unbounded" }
      )
      assert.isAtLeast(sockets, cases.length)
      /** Outlives a session of each of them, and answers how many connections were made anew. */
      const renew = Effect.gen(function*() {
        sockets = 0
        yield* Effect.forEach(
          opened,
          ({ name, probe, producer, topic }) =>
            Effect.gen(function*() {
              const before = probe.records.length
              const written = yield* write(producer, topic, sessionMs * 1.1)
              yield* until(() => probe.records.length >= before + written)
              yield* probe.consumer.commit([{ topic, partition: 0, offset: probe.position(topic, 0)!, metadata: "" }])
              assert.deepStrictEqual(numbersOf(probe).slice(before), Array.from({ length: written }, (_, i) => i), name)
              assert.deepStrictEqual(
                [probe.assignments.length, probe.lost.length, probe.ended()],
                [1, 0, undefined],
                name
              )
            }),
          { concurrency: "unbounded" }
        )
        return sockets
      })
      // A machine that stands still for a moment may be too late for all of them at once, but not each time.
      const anew = yield* Effect.all([renew, renew])
      assert.isBelow(Math.min(...anew), opened.length)
    }).pipe(Effect.scoped))

  // They mostly wait.
  describe.concurrent("side by side", () => {
    it.live("the command, by the environment, on both transports", () =>
      Effect.gen(function*() {
        const listTopics = (transport: string, password: string) =>
          runCommand(["topics", "list", "--json"], {
            KAFKA_TRANSPORT: transport,
            KAFKA_BROKERS: kafka.addressesOf("SASL_SSL").join(),
            KAFKA_SECURITY_PROTOCOL: "SASL_SSL",
            KAFKA_SSL_TRUSTSTORE_CERTIFICATES: kafka.authority.valid,
            KAFKA_SASL_MECHANISM: "scram-sha-512",
            KAFKA_SASL_USERNAME: "weft",
            KAFKA_SASL_PASSWORD: password
          })
        const [listed, also, refused] = yield* Effect.all([
          listTopics("kafkajs", users.weft),
          listTopics("platformatic", users.weft),
          listTopics("kafkajs", wrong)
        ], { concurrency: "unbounded" })
        assert.deepStrictEqual([listed.code, also.code], [0, 0], listed.text + also.text)
        assert.notStrictEqual(refused.code, 0)
        assert.match(refused.text, /authentication with Kafka failed.*KAFKA_SECURITY_PROTOCOL/)
        for (const { text } of [listed, also, refused]) assertNoSecret(text)
      }))

    it.live("a program without Effect, on both transports", () =>
      Effect.gen(function*() {
        const program = (transport: string, password: string) =>
          Effect.gen(function*() {
            const topic = freshName("promised")
            yield* createTopic(kafka.brokers, topic)
            return yield* runProgram({
              topic,
              transport,
              brokers: kafka.addressesOf("SASL_SSL"),
              ssl: tls(),
              sasl: { mechanism: "scram-sha-512", username: "weft", password }
            })
          })
        const [done, also, refused] = yield* Effect.all([
          program("kafkajs", users.weft),
          program("platformatic", users.weft),
          program("kafkajs", wrong)
        ], { concurrency: "unbounded" })
        for (const { out, text } of [done, also]) assert.include(out, `value {"n":7}`, text)
        assert.include(refused.out, "code AUTHENTICATION_FAILED", refused.text)
        for (const { text } of [done, also, refused]) assertNoSecret(text)
      }))

    it.live("a session that ends while a member waits for the others is renewed after the join", () =>
      Effect.forEach(transports, ({ layer, name }) =>
        Effect.gen(function*() {
          const [topic, group] = [freshName("joining"), freshGroup("joining")]
          yield* createTopic(kafka.brokers, topic, 2)
          const first = yield* member(topic, group, { beforeRevoke: () => Effect.sleep(sessionMs * 1.5) })
          yield* until(() => first.held().size === 2)
          const second = yield* member(topic, group)
          yield* until(() => first.held().size === 1 && second.held().size === 1)
          assert.deepStrictEqual([first.assignments.length, second.assignments.length], [2, 1], name)
          for (const probe of [first, second]) {
            assert.deepStrictEqual([probe.lost, probe.ended()], [[], undefined], name)
          }
        }).pipe(
          Effect.scoped,
          Effect.provide(layer({ ...saslSsl(scram()), brokers: kafka.addressesOf("BRIEF") }))
        ), { concurrency: "unbounded" }))

    it.live("credentials that are no longer good when the session is renewed end the consumer", () =>
      Effect.forEach(transports, ({ layer, name }) =>
        Effect.suspend(() => {
          let left = 60
          const sasl = withToken(() => unsecuredToken("weft", left))
          return Effect.gen(function*() {
            const { probe } = yield* open("revoked")
            left = -60
            yield* until(() => probe.ended() !== undefined)
            assert.strictEqual(failureOf(probe)!._tag, "AuthenticationError", name)
          }).pipe(
            Effect.scoped,
            Effect.provide(layer({ brokers: kafka.addressesOf("BRIEF"), ssl: tls(), sasl }))
          )
        }), { concurrency: "unbounded" }))
  })

  it.live("a broker that crashes and comes back costs no record", () =>
    Effect.gen(function*() {
      const ofBoth = [ways["SASL_SSL, SCRAM-SHA-512"]!(), ways["SSL with a client's certificate"]!()]
      const started = yield* Effect.forEach(
        transports.flatMap((one) => ofBoth.map((given) => ({ ...one, given }))),
        ({ given, layer, name }) =>
          Effect.gen(function*() {
            const one = yield* open("crash")
            return { name, ...one, fiber: yield* Effect.forkScoped(write(one.producer, one.topic, 4000)) }
          }).pipe(Effect.provide(layer(given))),
        { concurrency: "unbounded" }
      )
      yield* until(() => started.every(({ probe }) => probe.records.length > 5))
      yield* Effect.promise(() => kafka.nodes[0]!.kill())
      yield* Effect.promise(() => kafka.nodes[0]!.restart())
      for (const { fiber, name, probe } of started) {
        const written = yield* Fiber.join(fiber)
        yield* until(() => probe.records.length >= written)
        assert.deepStrictEqual(numbersOf(probe), Array.from({ length: written }, (_, i) => i), name)
        assert.deepStrictEqual([probe.assignments.length, probe.lost.length, probe.ended()], [1, 0, undefined], name)
      }
    }).pipe(Effect.scoped))
})
