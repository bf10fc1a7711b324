/** The brokers: whether they answer, which release they are of, and what they accept. */
import { Admin } from "@weft/kafka/Admin"
import type { ConfigEntry } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import { allTopics } from "../kafka.ts"
import { count } from "../table.ts"
import { type Finding, of } from "./finding.ts"

const finding = of("kafka")

/** What the services are held against. */
export interface Brokers {
  readonly findings: ReadonlyArray<Finding>
  readonly topics: ReadonlySet<string>
  /** A broker's own settings; empty where they may not be read. */
  readonly settings: ReadonlyMap<string, string>
}

/** Which releases have these settings: the protocol tells no version. */
export const releaseOf = (settings: ReadonlyMap<string, string>): string => {
  const isOld = settings.has("log.message.format.version")
  if (!settings.has("group.consumer.session.timeout.ms")) return "older than 3.7"
  return isOld ? "3.7 to 3.9" : "4.0 or newer"
}

const release = (settings: ReadonlyMap<string, string>): Finding => {
  if (settings.size === 0) {
    return finding(
      "release",
      "skipped",
      "the brokers' settings may not be read",
      "grant DESCRIBE_CONFIGS on the cluster to see more; consumers run without it"
    )
  }
  const found = releaseOf(settings)
  return found === "older than 3.7"
    ? finding("release", "warning", `Kafka ${found}`, "Weft is tested against Kafka 4; update the brokers when you can")
    : finding("release", "ok", `Kafka ${found}`)
}

const metadataBytes = 4096

const metadataLimit = (settings: ReadonlyMap<string, string>): ReadonlyArray<Finding> => {
  const most = Number(settings.get("offset.metadata.max.bytes") ?? NaN)
  if (Number.isNaN(most)) return []
  return [
    most >= metadataBytes
      ? finding("commit metadata", "ok", `up to ${most} bytes`)
      : finding(
        "commit metadata",
        "warning",
        `up to ${most} bytes`,
        `set offset.metadata.max.bytes to ${metadataBytes}: with less, records that ended out of order are repeated after a restart`
      )
  ]
}

const explicit = (entries: ReadonlyArray<ConfigEntry>): ReadonlyMap<string, string> =>
  new Map(entries.flatMap(({ name, value }) => value === null ? [] : [[name, value]]))

export const examine = Effect.gen(function*() {
  const admin = yield* Admin
  const { brokers } = yield* admin.describeCluster
  const topics = yield* allTopics
  const [first] = brokers
  const settings = first === undefined ? new Map<string, string>() : explicit(
    yield* Effect.orElseSucceed(admin.describeConfigs({ _tag: "Broker", id: first.id }), () => [])
  )
  const partitions = topics.flatMap((topic) => topic.partitions)
  const leaderless = partitions.filter(({ leader }) => leader < 0).length
  const behind = partitions.filter(({ isr, replicas }) => isr.length < replicas.length).length
  return {
    findings: [
      finding("brokers", "ok", brokers.map(({ host, port }) => `${host}:${port}`).join(", ")),
      release(settings),
      ...metadataLimit(settings),
      leaderless > 0
        ? finding(
          "partitions",
          "failure",
          `${count(leaderless, "partition")} without a leader`,
          "start the brokers that hold them; weft topics describe TOPIC shows which"
        )
        : behind > 0
        ? finding(
          "partitions",
          "warning",
          `${count(behind, "partition")} with replicas that are behind`,
          "look after the brokers that are missing; weft topics list shows the topics"
        )
        : finding("partitions", "ok", `${count(topics.length, "topic")}, ${count(partitions.length, "partition")}`)
    ],
    topics: new Set(topics.map(({ name }) => name)),
    settings
  } satisfies Brokers
})
