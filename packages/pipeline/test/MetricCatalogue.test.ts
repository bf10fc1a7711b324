import { assert, describe, it } from "@effect/vitest"
import * as Producer from "@weft/kafka/Producer"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { readFileSync } from "node:fs"
import { updatePage } from "../src/internal/metricsMarkdown.ts"
import * as MetricCatalogue from "../src/MetricCatalogue.ts"
import * as MetricsSink from "../src/MetricsSink.ts"
import * as MetricsSinks from "../src/MetricsSinks.ts"
import * as Pipeline from "../src/Pipeline.ts"
import * as PrometheusMetrics from "../src/PrometheusMetrics.ts"
import { advance, common, Log, start, until, withCluster } from "./fixtures.ts"
import { parse } from "./prometheusText.ts"

const names = MetricCatalogue.all.map(({ prometheus }) => prometheus)
/** Of the configuration; see docs/configuration.md. */
const ofConfiguration = /^weft_config_/

describe("MetricCatalogue", () => {
  it.effect("names what a pipeline tells, all of it and nothing else, with the labels that it has", () =>
    withCluster({ records: 20 }, (cluster) =>
      Effect.gen(function*() {
        yield* cluster.createTopic("out")
        const log = new Log()
        const producer = yield* Producer.make()
        const { stop } = yield* start(Pipeline.make({
          ...common,
          metricsInterval: "1 second",
          process: log.handler(() => 1, () => producer.send({ topic: "out", value: "sent" }))
        }))
        const away = yield* MetricsSinks.combine([{
          write: () => Effect.fail(new MetricsSink.MetricsSinkError({ cause: "away" }))
        }])
        yield* away.write({
          metrics: Array.from({ length: 10_001 }, () => ({}) as MetricsSink.ProcessingMetrics),
          members: [],
          lag: []
        })
        yield* until(() => log.done.length === 20, "all are processed")
        yield* advance(2_000)
        const families = parse(yield* PrometheusMetrics.format)
        assert.sameMembers([...families.keys()].filter((name) => !ofConfiguration.test(name)), names)
        for (const { description, labels, prometheus, type } of MetricCatalogue.all) {
          const { help, samples, type: told } = families.get(prometheus)!
          assert.strictEqual(told, type.toLowerCase())
          assert.strictEqual(help, description)
          for (const { labels: { le: _, ...given } } of samples) assert.includeMembers([...labels], Object.keys(given))
        }
        yield* stop
      })).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))

  it("docs/monitoring.md is current (else run node packages/pipeline/bin/metrics-doc.ts)", () => {
    const page = readFileSync(new URL("../../../docs/monitoring.md", import.meta.url), "utf8")
    for (const { id, prometheus } of MetricCatalogue.all) assert.include(page, `| \`${prometheus}\` | \`${id}\` |`)
    assert.strictEqual(updatePage(page), page)
  })
})
