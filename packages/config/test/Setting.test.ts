import { assert, describe, it } from "@effect/vitest"
import * as ConsumerConfig from "@weft/config/ConsumerConfig"
import * as Resolution from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { renderSettingsMarkdown, updatePage } from "../src/internal/settingsMarkdown.ts"

const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

describe("Setting", () => {
  it("calls each setting by one name in code and in SQL", () => {
    for (const key of Setting.keys) assert.strictEqual(Setting.settings[key].sql, snake(key))
  })

  it("finds a setting by its column, and none by another name", () => {
    for (const key of Setting.keys) assert.strictEqual(Setting.fromSql(Setting.settings[key].sql), key)
    for (const column of ["service_name", "description", "maxPollRecords", "__proto__", "constructor", ""]) {
      assert.strictEqual(Setting.fromSql(column), undefined)
    }
  })

  it("has the defaults of the guide's system", () => {
    const defaults = Object.fromEntries(
      Setting.keys.flatMap((key) => {
        const setting = Setting.get(key)
        return setting.type === "name" ? [] : [[setting.sql, setting.default]]
      })
    )
    assert.deepStrictEqual(defaults, {
      group_protocol: "classic",
      group_instance_id: "",
      max_poll_records: 100,
      session_timeout_ms: 60000,
      max_poll_interval_ms: 300000,
      heartbeat_interval_ms: 20000,
      partition_assignment_strategy: "range",
      enable_auto_commit: false,
      auto_commit_interval_ms: 5000,
      auto_offset_reset: "earliest",
      fetch_min_bytes: 1,
      fetch_max_wait_ms: 500,
      fetch_max_bytes: 52428800,
      max_partition_fetch_bytes: 1048576,
      request_timeout_ms: 305000,
      retry_backoff_ms: 100,
      reconnect_backoff_ms: 50,
      reconnect_backoff_max_ms: 1000,
      connections_max_idle_ms: 540000,
      isolation_level: "read_committed",
      processing_order: "partition",
      concurrency: 0,
      max_in_flight: 0,
      queue_max_records: 5000,
      queue_max_bytes: 2097152,
      buffer_max_bytes: 104857600,
      metrics_interval_ms: 10000
    })
  })

  it("has the defaults that the consumer itself has", () => {
    const { config } = Resolution.resolve({ service: "s", row: { _tag: "Row", columns: {} } })
    const own = ConsumerSettings.make({ groupId: config.consumerGroupId })
    const { partitionBytes, partitionRecords, totalBytes } = ConsumerSettings.queueLimits(own)
    const bounds = { queueMaxRecords: partitionRecords, queueMaxBytes: partitionBytes, bufferMaxBytes: totalBytes }
    const configured = ConsumerConfig.toConsumerSettings(config, "host")
    assert.deepStrictEqual({ ...own, ...configured }, { ...own, ...bounds, groupInstanceId: undefined })
  })

  it("gives a default and profile values that the setting itself accepts", () => {
    for (const key of Setting.keys) {
      const setting = Setting.get(key)
      const accepts = Schema.is(ConsumerConfig.valueSchema(setting))
      if (setting.type !== "name") assert.isTrue(accepts(setting.default), key)
      for (const value of Object.values(setting.profiles)) assert.isTrue(accepts(value), key)
    }
  })

  it("names only settings that exist as those it interacts with", () => {
    for (const key of Setting.keys) {
      for (const other of Setting.settings[key].interacts) assert.isDefined(Setting.fromSql(other), `${key}: ${other}`)
    }
  })

  it("docs/configuration.md is current (else run node packages/config/bin/settings-doc.ts)", () => {
    const page = readFileSync(new URL("../../../docs/configuration.md", import.meta.url), "utf8")
    assert.isTrue(page.includes(renderSettingsMarkdown()))
    assert.strictEqual(updatePage(page), page)
  })
})
