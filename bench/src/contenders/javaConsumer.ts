/** Kafka's own `ConsumerPerformance`, the Java client with nothing around it. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { temporaryFolder } from "../../../scripts/servers/temporaryFolder.ts"
import { type Contender, fetchSettings } from "./Contender.ts"
import { runJavaTool } from "./javaTool.ts"

/** Its last line, by its headings: `start.time, ..., data.consumed.in.nMsg, ..., fetch.nMsg.sec`. */
const figures = (output: string): ReadonlyMap<string, string> => {
  const lines = output.split("\n").map((line) => line.split(",").map((cell) => cell.trim()))
  const names = lines.find((cells) => cells.includes("fetch.nMsg.sec"))
  const values = lines.findLast((cells) => names !== undefined && cells.length >= names.length && /^\d/.test(cells[0]!))
  if (names === undefined || values === undefined) throw new Error(`ConsumerPerformance said:\n${output}`)
  return new Map(names.map((name, i) => [name, values[i]!]))
}

/** The rate is of the time that it fetched, as it tells it: joining is left out, as with the others. */
export const run: Contender = async (task) => {
  const folder = await temporaryFolder("weft-bench-java-")
  const settings = join(folder.path, "consumer.properties")
  await writeFile(
    settings,
    [
      "auto.offset.reset=earliest",
      `fetch.min.bytes=${fetchSettings.minBytes}`,
      `fetch.max.wait.ms=${fetchSettings.maxWaitMs}`,
      `fetch.max.bytes=${fetchSettings.maxBytes}`,
      `max.partition.fetch.bytes=${fetchSettings.maxBytesPerPartition}`
    ].join("\n")
  )
  const told = figures(
    await runJavaTool("org.apache.kafka.tools.ConsumerPerformance", [
      "--bootstrap-server",
      task.brokers.join(","),
      "--topic",
      task.topic,
      "--group",
      task.group,
      "--num-records",
      String(task.records),
      "--timeout",
      "60000",
      "--command-config",
      settings
    ])
  )
  return { records: Number(told.get("data.consumed.in.nMsg")), recordsPerSecond: Number(told.get("fetch.nMsg.sec")) }
}
