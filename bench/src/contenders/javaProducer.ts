/** Kafka's own `ProducerPerformance`, the Java client with nothing around it. */
import type { Contender } from "./Contender.ts"
import { runJavaTool } from "./javaTool.ts"
import { underWay } from "./sends.ts"
import { checkWritten } from "./writing.ts"

/** Its last line without warming up, the line after that with it: `1000 records sent, 5000.0 records/sec (...), ...`. */
const rateOf = (output: string): number => {
  const rate = output.split("\n").findLast((line) => line.includes("steady state records sent"))?.match(
    /, ([\d.]+) records\/sec/
  )?.[1]
  if (rate === undefined) throw new Error(`ProducerPerformance said:\n${output}`)
  return Number(rate)
}

/** What is under way with the others at first is not counted here either. */
export const run: Contender = async (task) => {
  const output = await runJavaTool("org.apache.kafka.tools.ProducerPerformance", [
    "--bootstrap-server",
    task.brokers.join(","),
    "--topic",
    task.topic,
    "--num-records",
    String(task.records),
    "--warmup-records",
    String(Math.min(underWay, Math.floor(task.records / 2))),
    "--record-size",
    String(task.bytes),
    "--throughput",
    "-1",
    "--command-property",
    "acks=all"
  ])
  await checkWritten(task)
  return { records: task.records, recordsPerSecond: rateOf(output) }
}
