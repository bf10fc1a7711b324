import { assert, describe, it } from "@effect/vitest"
import * as ConfigIssue from "@weft/config/ConfigIssue"
import * as ConfigStore from "@weft/config/ConfigStore"
import * as Environment from "@weft/config/Environment"
import * as Setting from "@weft/config/Setting"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"

const withEnvironment = (env: Record<string, string>) =>
  Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))

describe("Environment", () => {
  it("names the variables after the service and the setting", () => {
    assert.deepStrictEqual(Environment.variables("geo-coder.v2", "maxPollRecords"), [
      "WEFT_GEO_CODER_V2_MAX_POLL_RECORDS",
      "WEFT_MAX_POLL_RECORDS"
    ])
    assert.strictEqual(Environment.variables("gr\u00f6\u00dfe", "isolationLevel")[0], "WEFT_GR__E_ISOLATION_LEVEL")
  })

  it("no variable of all services is one of a single service", () => {
    const general = Setting.keys.map((key) => Environment.variables("x", key)[1])
    for (const name of general) {
      for (const key of Setting.keys) {
        const suffix = `_${Setting.settings[key].sql.toUpperCase()}`
        assert.isFalse(name.endsWith(suffix) && name.length > "WEFT".length + suffix.length, `${name} ${suffix}`)
      }
    }
  })

  it.effect("reads both variables of each setting, and takes an empty one for none", () =>
    Effect.gen(function*() {
      const [own, general] = yield* Environment.read("geo-coder")
      assert.deepStrictEqual(own, {
        maxPollRecords: { variable: "WEFT_GEO_CODER_MAX_POLL_RECORDS", raw: "7" }
      })
      assert.deepStrictEqual(general, {
        maxPollRecords: { variable: "WEFT_MAX_POLL_RECORDS", raw: "8" },
        isolationLevel: { variable: "WEFT_ISOLATION_LEVEL", raw: "read_uncommitted" }
      })
    }).pipe(withEnvironment({
      WEFT_GEO_CODER_MAX_POLL_RECORDS: "7",
      WEFT_GEO_CODER_FETCH_MIN_BYTES: " ",
      WEFT_OTHER_FETCH_MIN_BYTES: "9",
      WEFT_MAX_POLL_RECORDS: "8",
      WEFT_ISOLATION_LEVEL: "read_uncommitted",
      WEFT_MAX_POLL_RECORDS_OF_ANOTHER_PROGRAM: "1"
    })))

  it.effect("a provider that cannot be read says nothing", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Environment.read("svc"), Environment.empty)
    }).pipe(Effect.provide(ConfigProvider.layer(
      ConfigProvider.make(() => Effect.fail(new ConfigProvider.SourceError({ message: "gone", cause: undefined })))
    ))))

  it.effect("stands above the row: the service's variable, then the one of all services", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const { config, issues, provenance } = yield* store.load("svc")
      assert.deepStrictEqual(provenance.maxPollRecords, {
        value: 7,
        source: "environment",
        variable: "WEFT_SVC_MAX_POLL_RECORDS"
      })
      assert.deepStrictEqual(provenance.fetchMinBytes, {
        value: 2,
        source: "environment",
        variable: "WEFT_FETCH_MIN_BYTES"
      })
      assert.strictEqual(config.enableAutoCommit, true)
      assert.strictEqual(config.consumerGroupId, "mine")
      assert.deepStrictEqual(issues, [])
    }).pipe(
      Effect.provide(ConfigStore.layerMemory({ svc: { max_poll_records: 5, fetch_min_bytes: 3 } })),
      withEnvironment({
        WEFT_SVC_MAX_POLL_RECORDS: "7",
        WEFT_MAX_POLL_RECORDS: "8",
        WEFT_FETCH_MIN_BYTES: "2",
        WEFT_SVC_ENABLE_AUTO_COMMIT: "true",
        WEFT_SVC_CONSUMER_GROUP_ID: "mine"
      })
    ))

  it.effect("a bad value is refused with its variable, and the next source holds", () =>
    Effect.gen(function*() {
      const store = yield* ConfigStore.ConfigStore
      const { issues, provenance } = yield* store.load("svc")
      assert.deepInclude(provenance.maxPollRecords, { value: 8, source: "environment" })
      assert.deepInclude(provenance.fetchMinBytes, { value: 3, source: "row" })
      assert.strictEqual(provenance.fetchMinBytes.refused?.raw, "-1")
      assert.deepStrictEqual(issues.map(ConfigIssue.message), [
        "WEFT_SVC_MAX_POLL_RECORDS \"many\" is not a whole number: 8 (environment) is used",
        "WEFT_FETCH_MIN_BYTES \"-1\" is less than 1 (0 makes an idle consumer ask without a pause): 3 (row) is used"
      ])
    }).pipe(
      Effect.provide(ConfigStore.layerMemory({ svc: { max_poll_records: 5, fetch_min_bytes: 3 } })),
      withEnvironment({ WEFT_SVC_MAX_POLL_RECORDS: "many", WEFT_MAX_POLL_RECORDS: "8", WEFT_FETCH_MIN_BYTES: "-1" })
    ))
})
