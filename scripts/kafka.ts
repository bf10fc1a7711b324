/** `npm run kafka [-- --nodes 3] [--port 9092]`: a real Kafka until Ctrl-C. */
import { parseArgs } from "node:util"
import { startKafka } from "./servers/kafka.ts"
import { untilSignal } from "./servers/untilSignal.ts"
import { wholeNumber } from "./servers/wholeNumber.ts"

const main = async () => {
  const { values } = parseArgs({ options: { nodes: { type: "string", default: "1" }, port: { type: "string" } } })
  const nodes = wholeNumber("--nodes", values.nodes, 1, 9)
  const port = values.port === undefined ? undefined : wholeNumber("--port", values.port, 1, 65_535 - nodes + 1)
  const ended = untilSignal()
  const kafka = await startKafka({ nodes, ...(port !== undefined && { port }) })
  console.log(`KAFKA_BROKERS=${kafka.brokers.join(",")}`)
  if (kafka.nodes.length > 0) {
    console.log("Stop with Ctrl-C.")
    await ended
  }
  await kafka.stop()
}

await main().then(() => process.exit(0), (error: Error) => {
  console.error(error.message)
  process.exit(1)
})
