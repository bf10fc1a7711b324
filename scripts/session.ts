/**
 * `node scripts/session.ts`: a session with the `weft` command on a real Kafka and a real PostgreSQL, as a terminal without
 * colours shows it, into docs/session.md.
 */
import { execFile, spawn } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { hostname, userInfo } from "node:os"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { startKafka } from "./servers/kafka.ts"
import { startPostgres } from "./servers/postgres.ts"
import { temporaryFolder } from "./servers/temporaryFolder.ts"

const weft = fileURLToPath(new URL("../packages/cli/src/main.ts", import.meta.url))
const page = new URL("../docs/session.md", import.meta.url)

interface Step {
  readonly words: string
  readonly command: string
  /** What is waited for first, in milliseconds. */
  readonly after?: number
}

const begin: ReadonlyArray<Step> = [
  { words: "A database that is empty, and brokers. What is missing?", command: "doctor" },
  { words: "Then Weft's tables.", command: "migrate" },
  {
    words: "A service gets its settings before it first runs; what would not work is said at once.",
    command: "config set weft-demo workload_profile=high-volume max_poll_records=50 --reason \"first try\""
  },
  { words: "", command: "config set weft-demo heartbeat_interval_ms=40000 session_timeout_ms=30000 --dry-run" }
]

const meanwhile: ReadonlyArray<Step> = [
  { words: "Who is there, and how far behind?", command: "groups list", after: 15_000 },
  { words: "", command: "lag weft-demo" },
  { words: "What do they do?", command: "metrics weft-demo --since 5m", after: 10_000 },
  {
    words: "A change reaches the members that run; each setting says where its value comes from.",
    command: "config set weft-demo max_poll_records=200 --reason \"batches were full\""
  },
  { words: "", command: "config explain weft-demo", after: 2_000 },
  { words: "", command: "config history weft-demo" },
  { words: "What has failed?", command: "dlq list" },
  { words: "Is anything wrong, and what might be better?", command: "alerts" },
  { words: "", command: "recommend" },
  { words: "A slip of the finger.", command: "lag weft-dmo" }
]

/** Words as a shell splits them; quotes hold them together. */
const split = (command: string): ReadonlyArray<string> =>
  [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!)

/** Machine paths and ports are nobody's business. */
const tidied = (text: string, hidden: ReadonlyMap<string, string>): string =>
  [...hidden].reduce((shown, [from, to]) => shown.replaceAll(from, to), text.replaceAll(/[ \t]+$/gm, ""))

const main = async () => {
  const kafka = await startKafka()
  const postgres = await startPostgres()
  const state = await temporaryFolder("weft-session-")
  try {
    const url = await postgres.createDatabase("weft_session")
    const env = {
      PATH: process.env["PATH"],
      KAFKA_BROKERS: kafka.brokers.join(","),
      DATABASE_URL: url,
      WEFT_STATE_DIR: state.path
    }
    const hidden = new Map([[`${userInfo().username}@${hostname()}`, "you@here"], [state.path, "~/.local/state/weft"], [
      kafka.brokers[0]!,
      "127.0.0.1:9092"
    ]])
    const lines: Array<string> = []
    const take = async ({ after = 0, command, words }: Step) => {
      await setTimeout(after)
      const { stderr, stdout } = await promisify(execFile)(process.execPath, [weft, ...split(command)], { env }).catch(
        (error: { readonly stdout: string; readonly stderr: string }) => error
      )
      if (words !== "") lines.push(words, "")
      lines.push("```console", `$ weft ${command}`, tidied(`${stdout}${stderr}`, hidden).trimEnd(), "```", "")
    }
    for (const step of begin) await take(step)
    lines.push(
      "In another terminal `weft demo --kafka --database --for 2m` runs: a consumer of orders, some of which fail.",
      ""
    )
    const demo = spawn(process.execPath, [weft, "demo", "--kafka", "--database", "--for", "2m"], {
      env,
      stdio: "ignore"
    })
    const ended = new Promise((resolve) => demo.once("exit", resolve))
    for (const step of meanwhile) await take(step)
    demo.kill("SIGINT")
    await ended
    await writeFile(
      page,
      [
        "# A session with weft",
        "",
        "Recorded by `node scripts/session.ts`; nothing in it was written by hand.",
        "",
        ...lines
      ].join("\n").trimEnd() + "\n"
    )
  } finally {
    await state.remove()
    await postgres.stop()
    await kafka.stop()
  }
}

await main().then(() => process.exit(0), (error: Error) => {
  console.error(error.stack)
  process.exit(1)
})
