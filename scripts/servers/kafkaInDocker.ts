import { execFile } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { onPorts } from "./ports.ts"
import { guard } from "./guard.ts"
import { findOnPath } from "./kafkaJars.ts"
import { liveBrokers } from "./kafkaMetadata.ts"
import { brokerSettings, type KafkaNode, type KafkaServer } from "./kafkaServer.ts"
import { temporaryFolder } from "./temporaryFolder.ts"
import { waitUntil } from "./waitUntil.ts"

const run = promisify(execFile)
const composeFile = fileURLToPath(new URL("../kafka/compose.yml", import.meta.url))
const readyWithinMs = 120_000

/** Docker that answers, with its compose command. */
export const canUseDocker = async (): Promise<boolean> => {
  if (findOnPath("docker") === undefined) return false
  const answers = async (...args: ReadonlyArray<string>) => run("docker", args, { timeout: 10_000 })
  return Promise.all([answers("info"), answers("compose", "version")]).then(() => true, () => false)
}

/** A setting as the image's environment variable: `a.b.c` is KAFKA_A_B_C. */
const environmentLine = ([name, value]: readonly [string, string | number | boolean]) =>
  `KAFKA_${name.toUpperCase().replaceAll(".", "_")}=${value}\n`

interface DockerOptions {
  readonly nodes: number
  readonly port: number | undefined
}

/** Starts real Kafka by docker compose: one node, or three. The compose file names three ports, also where one node starts. */
export const startKafkaInDocker = (options: DockerOptions): Promise<KafkaServer> =>
  onPorts(options.port, options.nodes, 3 - options.nodes, (ports) => startOn(ports, options))

const startOn = async (ports: ReadonlyArray<number>, options: DockerOptions): Promise<KafkaServer> => {
  if (options.nodes !== 1 && options.nodes !== 3) {
    throw new Error(`with Docker, Kafka starts with 1 or 3 nodes, not ${options.nodes}`)
  }
  const folder = await temporaryFolder("weft-kafka-")
  const settings = join(folder.path, "settings.env")
  await writeFile(settings, Object.entries(brokerSettings(options.nodes)).map(environmentLine).join(""))
  const ids = Array.from({ length: options.nodes }, (_, index) => index + 1)
  const env = {
    ...process.env,
    WEFT_KAFKA_SETTINGS: settings,
    WEFT_KAFKA_VOTERS: ids.map((id) => `${id}@kafka${id}:9094`).join(","),
    WEFT_KAFKA_PORT_1: String(ports[0]),
    WEFT_KAFKA_PORT_2: String(ports[1]),
    WEFT_KAFKA_PORT_3: String(ports[2])
  }
  const project = `weft-kafka-${process.pid}-${ports[0]}`
  const compose = (...args: ReadonlyArray<string>) =>
    run("docker", [
      "compose",
      "-p",
      project,
      "-f",
      composeFile,
      "--profile",
      options.nodes === 3 ? "three" : "one",
      ...args
    ], {
      env
    })
  const release = guard({ kind: "command", command: "docker", args: ["compose", "-p", project, "down", "--volumes"] })

  const running = new Set(ids)
  const waitUntilReady = () =>
    waitUntil({
      what: "Kafka",
      timeoutMs: readyWithinMs,
      isReady: async () => {
        const known = await Promise.all([...running].map((id) => liveBrokers(ports[id - 1]!)))
        return known.every((alive) => [...running].every((id) => alive.includes(id)))
      },
      giveUp: () => {}
    })

  const stopAll = async () => {
    await compose("down", "--volumes", "--timeout", "5")
    release()
    await folder.remove()
  }

  try {
    await compose("up", "--detach")
    await waitUntilReady()
  } catch (error) {
    await stopAll()
    throw error
  }

  const nodes = ids.map((id): KafkaNode => {
    const service = `kafka${id}`
    return {
      id,
      address: `127.0.0.1:${ports[id - 1]}`,
      pid: undefined,
      stop: async () => {
        await compose("stop", service)
        running.delete(id)
      },
      kill: async () => {
        await compose("kill", service)
        running.delete(id)
      },
      restart: async () => {
        await compose("start", service)
        running.add(id)
        await waitUntilReady()
      }
    }
  })
  return { brokers: nodes.map(({ address }) => address), nodes, stop: stopAll }
}
