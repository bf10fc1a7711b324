import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as RelaySettings from "../src/RelaySettings.ts"

const least = { KAFKA_BROKERS: "127.0.0.1:9092", RELAY_IN: "in", RELAY_OUT: "out" }

const settingsOf = (environment: Record<string, string>) =>
  Result.getOrThrow(RelaySettings.parse({ ...least, ...environment }, "host-1"))

const faultsOf = (environment: Record<string, string>) =>
  Result.getOrThrow(Result.flip(RelaySettings.parse({ ...least, ...environment }, "host-1"))).map(
    RelaySettings.describe
  )

describe("the relay's variables", () => {
  it("have defaults, save for the brokers and the two topics", () => {
    assert.deepStrictEqual(settingsOf({}), {
      transport: "kafkajs",
      brokers: ["127.0.0.1:9092"],
      databaseUrl: undefined,
      service: "relay",
      group: undefined,
      input: "in",
      output: "out",
      deadLetters: "in.dlq",
      workMs: { min: 0, max: 0 },
      order: "partition",
      concurrency: undefined,
      failing: { _tag: "None" },
      member: "host-1"
    })
  })

  it("are all taken", () => {
    const settings = settingsOf({
      KAFKA_BROKERS: "one:1, two:65535",
      DATABASE_URL: "postgresql://weft@localhost/weft",
      RELAY_SERVICE: "s",
      RELAY_GROUP: "g",
      RELAY_DLQ: "dead",
      RELAY_WORK_MS: "0-20",
      RELAY_ORDER: "key",
      RELAY_CONCURRENCY: "8",
      RELAY_FAIL: "flaky:0.01",
      RELAY_TRANSPORT: "platformatic",
      RELAY_MEMBER: "m"
    })
    assert.deepStrictEqual(settings, {
      transport: "platformatic",
      brokers: ["one:1", "two:65535"],
      databaseUrl: "postgresql://weft@localhost/weft",
      service: "s",
      group: "g",
      input: "in",
      output: "out",
      deadLetters: "dead",
      workMs: { min: 0, max: 20 },
      order: "key",
      concurrency: 8,
      failing: { _tag: "Flaky", probability: 0.01 },
      member: "m"
    })
  })

  it("that are empty count as not set", () => {
    assert.deepStrictEqual(settingsOf({ RELAY_ORDER: "", RELAY_MEMBER: " " }), settingsOf({}))
  })

  it("that are missing are all told at once, with what they accept", () => {
    const faults = Result.getOrThrow(Result.flip(RelaySettings.parse({}, "m"))).map(RelaySettings.describe)
    assert.deepStrictEqual(faults.map((fault) => fault.split(";")[0]), [
      "RELAY_IN is not set",
      "KAFKA_BROKERS is not set",
      "RELAY_OUT is not set"
    ])
    assert.match(faults[1]!, /accepts addresses as host:port/)
  })

  for (
    const [name, values, accepts] of [
      [
        "KAFKA_BROKERS",
        ["localhost", "localhost:0", "localhost:70000", "a:1,", "a:1,b", "[::1]:1", "http://a:1"],
        /host:port/
      ],
      ["DATABASE_URL", ["localhost", "mysql://localhost/x", "postgres"], /postgres:\/\/user/],
      ["RELAY_IN", ["a topic", "a/b", "..", "x".repeat(250)], /249 of the characters/],
      ["RELAY_WORK_MS", ["-1", "5.5", "20-0", "5-", "a", "0-99999999", "5ms"], /whole number such as 5, or a range/],
      ["RELAY_ORDER", ["Partition", "keys", "random"], /partition, key or none/],
      ["RELAY_CONCURRENCY", ["0", "-1", "1.5", "10001", "many"], /from 1 to 10000/],
      ["RELAY_FAIL", ["flaky", "flaky:", "flaky:1", "flaky:2", "flaky:-0.1", "flaky:x", "yes"], /flaky:0\.01/]
    ] as const
  ) {
    it(`${name} is refused where it is bad, by name and with what it accepts`, () => {
      for (const value of values) {
        const faults = faultsOf({ [name]: value })
        assert.lengthOf(faults, 1, value)
        const fault = name === "DATABASE_URL" ? "cannot be used" : `is ${JSON.stringify(value)}`
        assert.isTrue(faults[0]!.startsWith(`${name} ${fault}; it accepts `), faults[0])
        assert.match(faults[0]!, accepts)
      }
    })
  }

  it("never send records back into the topic that they come from", () => {
    assert.deepStrictEqual(faultsOf({ RELAY_OUT: "in" }), [
      "RELAY_OUT is \"in\"; it accepts another topic than RELAY_IN"
    ])
    assert.deepStrictEqual(faultsOf({ RELAY_DLQ: "in" }), [
      "RELAY_DLQ is \"in\"; it accepts another topic than RELAY_IN"
    ])
  })

  it("never show the password of a database", () => {
    assert.notInclude(faultsOf({ DATABASE_URL: "postgresq://user:secret@host/db" })[0], "secret")
  })

  it("that are misspelt are found", () => {
    assert.deepStrictEqual(
      RelaySettings.unknownVariables({ ...least, RELAY_ODER: "key", RELAY_FAIL: "none", PATH: "" }),
      ["RELAY_ODER"]
    )
  })
})
