/**
 * The topics of the cluster with their partitions, leaders and configs: what its brokers store.
 */
import type { ConfigEntry, NewTopic } from "@weft/kafka/Transport"
import * as Log from "./logModel.ts"

export interface Partition {
  readonly topic: string
  readonly partition: number
  readonly log: Log.PartitionLog
  readonly replicas: ReadonlyArray<number>
  /** -1 while it has no leader. */
  leader: number
  /** Told of each change that a waiting fetch may want to know: records, a new leader, a deletion. */
  readonly watchers: Set<() => void>
  deleted: boolean
}

export interface Topic {
  readonly name: string
  readonly configs: Map<string, string>
  readonly partitions: Array<Partition>
}

export interface TopicsOptions {
  readonly brokers: number
  /** `num.partitions` */
  readonly numPartitions: number
}

/** A broker's defaults of the topic configs that the cluster knows. Others are refused. */
export const configDefaults: Readonly<Record<string, string>> = {
  "cleanup.policy": "delete",
  "compression.type": "producer",
  "delete.retention.ms": "86400000",
  "max.message.bytes": "1048588",
  "message.timestamp.type": "CreateTime",
  "min.compaction.lag.ms": "0",
  "min.insync.replicas": "1",
  "retention.bytes": "-1",
  "retention.ms": "604800000",
  "segment.bytes": "1073741824",
  "segment.ms": "604800000"
}

export const configOf = (topic: Topic, name: string): string => topic.configs.get(name) ?? configDefaults[name] ?? ""

export const configEntries = (topic: Topic): ReadonlyArray<ConfigEntry> =>
  Object.keys(configDefaults).map((name) => ({
    name,
    value: configOf(topic, name),
    isDefault: !topic.configs.has(name),
    isSensitive: false,
    readOnly: false
  }))

/** Whether a config may be set to a value: known, and a number where its default is one. */
export const isValidConfig = (name: string, value: string): boolean => {
  const known = configDefaults[name]
  if (known === undefined) return false
  if (/^-?\d+$/.test(known)) return /^-?\d+$/.test(value)
  if (name === "message.timestamp.type") return value === "CreateTime" || value === "LogAppendTime"
  if (name === "cleanup.policy") return value.split(",").every((v) => v === "delete" || v === "compact")
  return true
}

const legalName = /^[a-zA-Z0-9._-]{1,249}$/

export interface Topics {
  readonly all: ReadonlyMap<string, Topic>
  readonly get: (topic: string, partition: number) => Partition | undefined
  /** `undefined`, or the code of the refusal. */
  readonly create: (topic: NewTopic) => string | undefined
  readonly addPartitions: (name: string, count: number) => string | undefined
  readonly remove: (name: string) => string | undefined
  readonly configure: (name: string, configs: Readonly<Record<string, string>>) => string | undefined
  /** Retention and compaction by the topics' configs, as a broker does from time to time. */
  readonly clean: (now: number, topic?: string) => void
  readonly notify: (partition: Partition) => void
}

export const make = (options: TopicsOptions, isAway: (broker: number) => boolean): Topics => {
  const all = new Map<string, Topic>()
  const brokers = Array.from({ length: options.brokers }, (_, i) => i)

  const makePartition = (topic: string, partition: number, replication: number): Partition => {
    const replicas = Array.from({ length: replication }, (_, i) => brokers[(partition + i) % brokers.length]!)
    return {
      topic,
      partition,
      log: Log.make(),
      replicas,
      leader: replicas.find((broker) => !isAway(broker)) ?? -1,
      watchers: new Set(),
      deleted: false
    }
  }

  const notify = (partition: Partition): void => {
    for (const watcher of partition.watchers) watcher()
  }

  return {
    all,
    notify,
    get: (topic, partition) => all.get(topic)?.partitions[partition],
    create: ({ configs = {}, name, partitions = options.numPartitions, replicationFactor = 1 }) => {
      if (all.has(name)) return "TOPIC_ALREADY_EXISTS"
      if (!legalName.test(name) || name === "." || name === "..") return "INVALID_TOPIC_EXCEPTION"
      const count = partitions === -1 ? options.numPartitions : partitions
      const replication = replicationFactor === -1 ? 1 : replicationFactor
      if (count < 1) return "INVALID_PARTITIONS"
      if (replication < 1 || replication > options.brokers) return "INVALID_REPLICATION_FACTOR"
      if (Object.entries(configs).some(([k, v]) => !isValidConfig(k, v))) return "INVALID_CONFIG"
      all.set(name, {
        name,
        configs: new Map(Object.entries(configs)),
        partitions: Array.from({ length: count }, (_, i) => makePartition(name, i, replication))
      })
      return undefined
    },
    addPartitions: (name, count) => {
      const topic = all.get(name)
      if (topic === undefined) return "UNKNOWN_TOPIC_OR_PARTITION"
      if (count <= topic.partitions.length) return "INVALID_PARTITIONS"
      const replication = topic.partitions[0]!.replicas.length
      for (let i = topic.partitions.length; i < count; i++) topic.partitions.push(makePartition(name, i, replication))
      return undefined
    },
    remove: (name) => {
      const topic = all.get(name)
      if (topic === undefined) return "UNKNOWN_TOPIC_OR_PARTITION"
      all.delete(name)
      for (const partition of topic.partitions) {
        partition.deleted = true
        notify(partition)
      }
      return undefined
    },
    configure: (name, configs) => {
      const topic = all.get(name)
      if (topic === undefined) return "UNKNOWN_TOPIC_OR_PARTITION"
      if (Object.entries(configs).some(([k, v]) => !isValidConfig(k, v))) return "INVALID_CONFIG"
      for (const [key, value] of Object.entries(configs)) topic.configs.set(key, value)
      return undefined
    },
    clean: (now, only) => {
      for (const topic of all.values()) {
        if (only !== undefined && topic.name !== only) continue
        const policy = configOf(topic, "cleanup.policy").split(",")
        const limits = {
          retentionMs: Number(configOf(topic, "retention.ms")),
          retentionBytes: Number(configOf(topic, "retention.bytes"))
        }
        for (const { log } of topic.partitions) {
          if (policy.includes("compact")) Log.compact(log)
          if (policy.includes("delete")) Log.retain(log, limits, now)
        }
      }
    }
  }
}
