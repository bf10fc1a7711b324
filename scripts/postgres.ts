/** `npm run postgres [-- --port 5432]`: a real PostgreSQL, with its data in a temporary folder, until Ctrl-C. */
import { parseArgs } from "node:util"
import { startPostgres } from "./servers/postgres.ts"
import { untilSignal } from "./servers/untilSignal.ts"
import { wholeNumber } from "./servers/wholeNumber.ts"

const main = async () => {
  const { values } = parseArgs({ options: { port: { type: "string" } } })
  const port = values.port === undefined ? undefined : wholeNumber("--port", values.port, 1, 65_535)
  const ended = untilSignal()
  const postgres = await startPostgres({ ...(port !== undefined && { port }) })
  console.log(`DATABASE_URL=${postgres.url}`)
  if (postgres.isOurs) {
    console.log("Stop with Ctrl-C.")
    await ended
  }
  await postgres.stop()
}

await main().then(() => process.exit(0), (error: Error) => {
  console.error(error.message)
  process.exit(1)
})
