/**
 * `npm run bench [-- --records 1000000 --bytes 200 --partitions 4 --rounds 3 --json results.json --only weft]`: how fast
 * Weft consumes, against the client library that it stands on, on one real Kafka. Each run is a process of its own; they
 * take turns, so that whatever else the machine does counts for all.
 */
import { execFile } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { cpus, totalmem } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs, promisify } from "node:util"
import { startKafka } from "../../scripts/servers/kafka.ts"
import { wholeNumber } from "../../scripts/servers/wholeNumber.ts"
import { summarize, table } from "./Comparison.ts"
import type { Result } from "./contenders/Contender.ts"
import { type ContenderName, contenders } from "./contenders/byName.ts"
import { fill } from "./topic.ts"

const baselines: Readonly<Record<ContenderName, ContenderName>> = {
  "kafkajs eachBatch": "kafkajs eachBatch",
  "weft Consumer.batches": "kafkajs eachBatch",
  "weft processBatch": "kafkajs eachBatch",
  "kafkajs eachMessage": "kafkajs eachMessage",
  "weft Consumer.stream": "kafkajs eachMessage",
  "weft process": "kafkajs eachMessage",
  "weft processBatch unmeasured": "weft processBatch unmeasured",
  "weft processBatch measured": "weft processBatch unmeasured",
  "weft process unmeasured": "weft process unmeasured",
  "weft process measured": "weft process unmeasured"
}

const longestRunMs = 300_000

const runOnce = async (
  name: ContenderName,
  task: { readonly brokers: ReadonlyArray<string>; readonly topic: string; readonly records: number },
  group: string
): Promise<Result> => {
  const program = fileURLToPath(new URL("contender.ts", import.meta.url))
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [program, name, task.brokers.join(","), task.topic, group, String(task.records)],
    { timeout: longestRunMs, killSignal: "SIGKILL" }
  )
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Result
}

const main = async () => {
  const { values } = parseArgs({
    options: {
      records: { type: "string", default: "1000000" },
      bytes: { type: "string", default: "200" },
      partitions: { type: "string", default: "4" },
      rounds: { type: "string", default: "3" },
      only: { type: "string", default: "" },
      json: { type: "string" }
    }
  })
  const records = wholeNumber("--records", values.records, 1000, 100_000_000)
  const bytes = wholeNumber("--bytes", values.bytes, 50, 1_000_000)
  const partitions = wholeNumber("--partitions", values.partitions, 1, 1000)
  const rounds = wholeNumber("--rounds", values.rounds, 1, 100)
  const wanted = (Object.keys(baselines) as Array<ContenderName>).filter((name) => name.includes(values.only))
  const names = [...new Set(wanted.flatMap((name) => [baselines[name], name]))]
  if (names.length === 0) throw new Error(`--only names none of ${Object.keys(contenders).join(", ")}`)

  const kafka = await startKafka()
  try {
    const topic = `weft-bench-${process.pid}`
    console.log(`filling ${topic}: ${records} records of ${bytes} bytes, ${partitions} partitions`)
    await fill({ brokers: kafka.brokers, topic, partitions, records, bytes })

    const runs = new Map<ContenderName, Array<Result>>(names.map((name) => [name, []]))
    for (let round = 1; round <= rounds; round++) {
      for (const name of names) {
        const result = await runOnce(name, { brokers: kafka.brokers, topic, records }, `${topic}-${round}-${name}`)
        if (result.records !== records || result.bytes !== records * bytes) {
          throw new Error(`${name} saw ${result.records} records of ${result.bytes} bytes`)
        }
        runs.get(name)!.push(result)
        console.log(`round ${round} of ${rounds}  ${name.padEnd(28)} ${Math.round(result.recordsPerSecond)} records/s`)
      }
    }

    const summaries = summarize(runs, baselines)
    console.log(`\n${table(summaries)}`)
    if (values.json !== undefined) {
      const machine = { cpus: cpus().length, model: cpus()[0]?.model, memoryGiB: Math.round(totalmem() / 2 ** 30) }
      const about = {
        date: new Date().toISOString(),
        node: process.version,
        machine,
        records,
        bytes,
        partitions,
        rounds
      }
      await writeFile(values.json, JSON.stringify({ ...about, summaries, runs: Object.fromEntries(runs) }, null, 2))
    }
  } finally {
    await kafka.stop()
  }
}

await main().then(() => process.exit(0), (error: Error) => {
  console.error(error.message)
  process.exit(1)
})
