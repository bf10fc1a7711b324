import { randomUUID } from "node:crypto"
import type { TestProject } from "vitest/node"
import { startKafka } from "../scripts/servers/kafka.ts"
import { startPostgres } from "../scripts/servers/postgres.ts"
import { removeTestData } from "./removeTestData.ts"

declare module "vitest" {
  export interface ProvidedContext {
    /** Empty when no selected test file is named *.kafka.test.ts. */
    readonly brokers: ReadonlyArray<string>
    readonly databaseUrl: string
    /** Every topic, group and database of this run begins with it. */
    readonly runPrefix: string
  }
}

/** Starts the servers once for the whole run: PostgreSQL, and Kafka only if a selected file needs it. */
export default async function setup(project: TestProject) {
  // What the command line selected. Should vitest stop saying so, all files count, and Kafka starts more often than it must.
  const { filenamePattern } = project.vitest as { readonly filenamePattern?: Array<string> }
  const { testFiles } = await project.globTestFiles(filenamePattern)
  const needsKafka = testFiles.some((file) => file.endsWith(".kafka.test.ts"))
  const [postgres, kafka] = await Promise.all([
    startPostgres(),
    needsKafka ? startKafka() : { brokers: [], nodes: [], stop: async () => {} }
  ])
  const runPrefix = `weft-test-${randomUUID().slice(0, 8)}`
  project.provide("brokers", kafka.brokers)
  project.provide("databaseUrl", postgres.url)
  project.provide("runPrefix", runPrefix)

  return async () => {
    const kafkaStays = needsKafka && kafka.nodes.length === 0
    await removeTestData({
      runPrefix,
      ...(kafkaStays && { brokers: kafka.brokers }),
      ...(!postgres.isOurs && { databaseUrl: postgres.url })
    })
    await Promise.all([postgres.stop(), kafka.stop()])
  }
}
