import { defineConfig } from "vitest/config"
import { findKafka, kafkaIsMissing } from "./scripts/servers/kafka.ts"

const everywhere = ["packages/*/test", "examples/*/test", "bench/test", "scripts/test", "test-support/test"]
const files = (name: string) => everywhere.map((folder) => `${folder}/**/${name}`)
const kafkaTests = files("*.kafka.test.ts")
const postgresTests = files("*.pg.test.ts")

const isCi = process.env["CI"] !== undefined && process.env["CI"] !== "" && process.env["CI"] !== "false"
const hasKafka = (await findKafka()) !== undefined
if (!hasKafka) {
  if (isCi) throw new Error(`${kafkaIsMissing} With CI set, no test may be skipped.`)
  console.warn(`\n*** SKIPPED: every test that needs a real Kafka. ${kafkaIsMissing}\n`)
}

export default defineConfig({
  test: {
    // The servers take their share of a small machine.
    maxWorkers: 2,
    // What a failed test printed is shown; the others' logs would bury it.
    silent: "passed-only",
    projects: [
      {
        test: {
          name: "unit",
          include: files("*.test.ts"),
          exclude: [...kafkaTests, ...postgresTests],
          // Far above what any needs: a busy machine must not fail a test.
          testTimeout: 60_000,
          hookTimeout: 60_000
        }
      },
      {
        test: {
          name: "real",
          include: hasKafka ? [...kafkaTests, ...postgresTests] : postgresTests,
          globalSetup: ["test-support/globalSetup.ts"],
          // .ci/run prints each test that needed it, and why, and fails where they are more than two.
          retry: isCi ? 1 : 0,
          testTimeout: 120_000,
          hookTimeout: 120_000
        }
      }
    ]
  }
})
