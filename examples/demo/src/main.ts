/** `npm run demo`: the georegion detector with a live view of it, for a minute or until Ctrl-C. */
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Effect from "effect/Effect"
import { startKafka } from "../../../scripts/servers/kafka.ts"
import { startPostgres } from "../../../scripts/servers/postgres.ts"
import { untilSignal } from "../../../scripts/servers/untilSignal.ts"
import * as Demo from "./Demo.ts"
import { type Flags, parse, usage } from "./Flags.ts"

const isSet = (name: string) => (process.env[name] ?? "").trim() !== ""

const main = async (flags: Flags) => {
  const stopped = untilSignal()
  const terminal = process.stdout.isTTY && !flags.plain && process.env["TERM"] !== "dumb" ? process.stdout : undefined
  const servers: Array<{ readonly stop: () => Promise<void> }> = []
  try {
    if (!isSet("DATABASE_URL")) console.log("starting PostgreSQL ...")
    const postgres = await startPostgres()
    servers.push(postgres)
    const isReal = flags.kafka || isSet("KAFKA_BROKERS")
    if (isReal && !isSet("KAFKA_BROKERS")) console.log("starting Kafka ...")
    const kafka = isReal ? await startKafka() : undefined
    if (kafka !== undefined) servers.push(kafka)

    await Effect.runPromise(Demo.run({
      transport: kafka === undefined ? MemoryCluster.layer : KafkaJs.layer({ brokers: kafka.brokers }),
      cluster: kafka === undefined ? "in-memory cluster" : `Kafka at ${kafka.brokers.join(",")}`,
      databaseUrl: postgres.isOurs ? await postgres.createDatabase("weft_demo") : postgres.url,
      seconds: flags.seconds,
      terminal,
      hasColor: !isSet("NO_COLOR"),
      print: (line) => console.log(line),
      stop: Effect.promise(() => stopped)
    }))
  } finally {
    for (const server of servers.reverse()) await server.stop()
  }
}

const flags = parse(process.argv.slice(2))
if (flags === "help") {
  console.log(usage)
} else if ("fault" in flags) {
  console.error(`${flags.fault}\n\n${usage}`)
  process.exitCode = 1
} else {
  await main(flags).then(() => process.exit(0), (error: Error) => {
    console.error(error.message)
    process.exit(1)
  })
}
