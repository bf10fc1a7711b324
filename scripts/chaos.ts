/**
 * `npm run chaos -- --minutes M --seed S [--planned]`: members of examples/relay on a real Kafka of three nodes and a real
 * PostgreSQL, while processes are killed and stopped and servers go away; what was promised is checked from the topics. With
 * `--backlog`, the memory of a member that is far behind. See docs/reliability.md.
 */
import { backlog } from "./chaos/backlog.ts"
import { type BacklogFlags, type ChaosFlags, parse, usage } from "./chaos/flags.ts"
import { run } from "./chaos/run.ts"
import { untilSignal } from "./servers/untilSignal.ts"

const main = async (flags: ChaosFlags | BacklogFlags): Promise<number> => {
  const stop = new AbortController()
  void untilSignal().then((signal) => {
    console.log(`${signal}: stopping everything`)
    stop.abort()
  })
  const options = { print: (line: string) => console.log(line), signal: stop.signal }
  const violations = flags.mode === "chaos" ? await run({ ...options, flags }) : await backlog({ ...options, flags })
  return stop.signal.aborted ? 130 : violations > 0 ? 1 : 0
}

const parsed = (): ChaosFlags | BacklogFlags => {
  try {
    return parse(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    process.exit(2)
  }
}

await main(parsed()).then((code) => process.exit(code), (error: Error) => {
  console.error(error.stack)
  process.exit(1)
})
