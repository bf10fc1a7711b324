import { canUseDocker, startKafkaInDocker } from "./kafkaInDocker.ts"
import { startKafkaInJvm } from "./kafkaInJvm.ts"
import { canHaveKafkaJars, findJava } from "./kafkaJars.ts"
import type { KafkaServer } from "./kafkaServer.ts"

export interface KafkaOptions {
  /** How many brokers; default 1. */
  readonly nodes?: number
  /** The first broker's port, the next ones follow; default: free ones. */
  readonly port?: number
}

type Way =
  | { readonly kind: "given"; readonly brokers: ReadonlyArray<string> }
  | { readonly kind: "jvm"; readonly java: string }
  | { readonly kind: "docker" }

export const kafkaIsMissing =
  "No Kafka: set KAFKA_BROKERS, or install Java 17 or newer and Maven, or start Docker (with its compose command)."

/** How this machine can have a Kafka; undefined when it cannot. */
export const findKafka = async (): Promise<Way | undefined> => {
  const given = process.env["KAFKA_BROKERS"]?.split(",").map((broker) => broker.trim()).filter((broker) =>
    broker !== ""
  )
  if (given !== undefined && given.length > 0) return { kind: "given", brokers: given }
  const java = await findJava()
  if (java !== undefined && canHaveKafkaJars()) return { kind: "jvm", java }
  return (await canUseDocker()) ? { kind: "docker" } : undefined
}

/** The Kafka of KAFKA_BROKERS if that is set, else a real one of our own, stopped with this process at the latest. */
export const startKafka = async (options: KafkaOptions = {}): Promise<KafkaServer> => {
  const way = await findKafka()
  if (way === undefined) throw new Error(kafkaIsMissing)
  const ours = { nodes: options.nodes ?? 1, port: options.port }
  switch (way.kind) {
    case "given":
      return { brokers: way.brokers, nodes: [], stop: async () => {} }
    case "jvm":
      return startKafkaInJvm(way.java, ours)
    case "docker":
      return startKafkaInDocker(ours)
  }
}
