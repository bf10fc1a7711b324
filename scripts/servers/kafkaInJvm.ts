import { execFile } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { onPorts } from "./ports.ts"
import { kafkaJars } from "./kafkaJars.ts"
import { liveBrokers } from "./kafkaMetadata.ts"
import { brokerSettings, type KafkaNode, type KafkaServer } from "./kafkaServer.ts"
import { type ServerProcess, spawnServer } from "./serverProcess.ts"
import { temporaryFolder } from "./temporaryFolder.ts"
import { waitUntil } from "./waitUntil.ts"

const run = promisify(execFile)
const readyWithinMs = 120_000
// Any base64 UUID will do; it names this cluster in its logs.
const clusterId = "MkU3OEVBNTcwNTJENDM2Qg"

/** A way for clients to come in, beside the plain one that every broker has. */
export interface Listener {
  /** As Kafka's settings name it; in upper case. */
  readonly name: string
  readonly protocol: "SSL" | "SASL_SSL" | "SASL_PLAINTEXT"
}

export interface JvmOptions {
  readonly nodes: number
  readonly port: number | undefined
  /** Settings of the brokers beside those that all tests have; as Kafka names them. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>
  readonly listeners?: ReadonlyArray<Listener>
  /** What the storage is formatted with besides, such as users with their SCRAM credentials. */
  readonly formatArguments?: ReadonlyArray<string>
}

export interface JvmKafka extends KafkaServer {
  /** `host:port` of each broker on one of `listeners`. */
  readonly addressesOf: (listener: string) => ReadonlyArray<string>
}

interface NodePorts {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
  readonly secured: ReadonlyArray<Listener & { readonly port: number }>
}

const host = "127.0.0.1"

const properties = (node: NodePorts, all: ReadonlyArray<NodePorts>, folder: string, settings: object): string => {
  const forClients = [{ name: "PLAINTEXT", protocol: "PLAINTEXT", port: node.port }, ...node.secured]
  const addresses = forClients.map(({ name, port }) => `${name}://${host}:${port}`).join(",")
  return Object.entries({
    ...brokerSettings(all.length),
    ...settings,
    "process.roles": "broker,controller",
    "node.id": node.id,
    "controller.quorum.voters": all.map(({ controllerPort, id }) => `${id}@${host}:${controllerPort}`).join(","),
    "listeners": `${addresses},CONTROLLER://${host}:${node.controllerPort}`,
    "advertised.listeners": addresses,
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": [...forClients, { name: "CONTROLLER", protocol: "PLAINTEXT" }]
      .map(({ name, protocol }) => `${name}:${protocol}`).join(","),
    "controller.listener.names": "CONTROLLER",
    "log.dirs": join(folder, `data-${node.id}`)
  }).map(([name, value]) => `${name}=${value}\n`).join("")
}

/** Starts real Kafka (KRaft) in one JVM for each node, on free ports unless `port` names the first of them. */
export const startKafkaInJvm = (java: string, options: JvmOptions): Promise<JvmKafka> => {
  const { listeners = [], nodes, port } = options
  return onPorts(port, nodes, nodes * (1 + listeners.length), (ports) => startOn(ports, java, options))
}

const startOn = async (ports: ReadonlyArray<number>, java: string, options: JvmOptions): Promise<JvmKafka> => {
  const { formatArguments = [], listeners = [], nodes: count } = options
  const classPath = join(await kafkaJars(), "*")
  const folder = await temporaryFolder("weft-kafka-")
  const all = Array.from({ length: count }, (_, index): NodePorts => ({
    id: index + 1,
    port: ports[index]!,
    controllerPort: ports[count + index]!,
    secured: listeners.map((listener, at) => ({ ...listener, port: ports[count * (2 + at) + index]! }))
  }))
  // Several brokers on one machine are there to fail, not to be fast for long: they are warm four times as soon with the
  // simple compiler alone.
  const jvm = count === 1 ? ["-Xmx1g"] : ["-Xmx512m", "-XX:TieredStopAtLevel=1"]
  const processes = new Map<number, ServerProcess>()
  const propertiesFile = (id: number) => join(folder.path, `node-${id}.properties`)

  const format = async (node: NodePorts) => {
    await writeFile(propertiesFile(node.id), properties(node, all, folder.path, options.settings ?? {}))
    const args = [
      "kafka.tools.StorageTool",
      "format",
      "-t",
      clusterId,
      "-c",
      propertiesFile(node.id),
      ...formatArguments
    ]
    await run(java, ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classPath, ...args])
  }

  const start = async (node: NodePorts) => {
    const server = await spawnServer({
      command: java,
      args: [
        ...jvm,
        "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-cp",
        classPath,
        "kafka.Kafka",
        propertiesFile(node.id)
      ],
      logFile: join(folder.path, `node-${node.id}.log`),
      stopSignal: "SIGTERM"
    })
    processes.set(node.id, server)
    return server
  }

  /** Ready: every running broker answers, and knows every other running one as alive. */
  const waitUntilReady = () => {
    const running = all.filter(({ id }) => processes.get(id)!.isRunning())
    return waitUntil({
      what: "Kafka",
      timeoutMs: readyWithinMs,
      isReady: async () => {
        const known = await Promise.all(running.map(({ port }) => liveBrokers(port)))
        return known.every((ids) => running.every(({ id }) => ids.includes(id)))
      },
      giveUp: () => {
        for (const { id } of running) {
          const server = processes.get(id)!
          if (!server.isRunning()) throw new Error(`Kafka node ${id} ended while starting:\n${server.logTail()}`)
        }
      }
    })
  }

  const stopAll = async () => {
    // Killed: the data goes too, and nodes that stop together wait in vain for a quorum to hand their leadership to.
    await Promise.all([...processes.values()].map((server) => server.kill()))
    await folder.remove()
  }

  try {
    await Promise.all(all.map(format))
    await Promise.all(all.map(start))
    await waitUntilReady()
  } catch (error) {
    await stopAll()
    throw error
  }

  const nodes = all.map((node): KafkaNode => ({
    id: node.id,
    address: `${host}:${node.port}`,
    get pid() {
      const server = processes.get(node.id)!
      return server.isRunning() ? server.pid : undefined
    },
    stop: () => processes.get(node.id)!.stop(),
    kill: () => processes.get(node.id)!.kill(),
    restart: async () => {
      if (processes.get(node.id)!.isRunning()) throw new Error(`Kafka node ${node.id} is running`)
      await start(node)
      await waitUntilReady()
    }
  }))
  const addressesOf = (listener: string) =>
    all.flatMap(({ secured }) => secured.filter(({ name }) => name === listener).map(({ port }) => `${host}:${port}`))
  return { brokers: nodes.map(({ address }) => address), nodes, addressesOf, stop: stopAll }
}
