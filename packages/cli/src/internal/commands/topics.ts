import { Admin } from "@weft/kafka/Admin"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import type { ConfigEntry, TopicDescription } from "@weft/kafka/Transport"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { type Answer, answer } from "../answer.ts"
import { allTopics, knownTopics, withKafka } from "../kafka.ts"
import type { Paint } from "../paint.ts"
import { fields, table } from "../table.ts"

const replicas = ({ partitions }: TopicDescription): number =>
  partitions.reduce((most, one) => Math.max(most, one.replicas.length), 0)

const underReplicated = ({ partitions }: TopicDescription): number =>
  partitions.filter((one) => one.leader < 0 || one.isr.length < one.replicas.length).length

const isInternal = ({ internal, name }: TopicDescription) => internal || name.startsWith("__")

const listTopics = Effect.fnUntraced(function*(internal: boolean) {
  const topics = (yield* allTopics).filter((topic) => internal || !isInternal(topic))
  const rows = topics.map((topic) => ({
    topic: topic.name,
    partitions: topic.partitions.length,
    replicas: replicas(topic),
    underReplicated: underReplicated(topic)
  }))
  return {
    json: rows,
    text: (paint: Paint) =>
      rows.length === 0 ? "no topics" : table(paint, [
        { title: "TOPIC", value: (row) => row.topic },
        { title: "PARTITIONS", value: (row) => row.partitions, align: "right" },
        { title: "REPLICAS", value: (row) => row.replicas, align: "right" },
        {
          title: "UNDER-REPLICATED",
          value: (row) => row.underReplicated,
          align: "right",
          paint: (row) => row.underReplicated > 0 ? "red" : undefined
        }
      ], rows)
  } satisfies Answer
})

const list = Command.make("list", {
  internal: Flag.Boolean("internal").pipe(
    Flag.withDescription("Kafka's own topics as well"),
    Flag.withDefault(false)
  )
}, ({ internal }) => answer(withKafka(listTopics(internal)))).pipe(
  Command.withDescription("List topics with their partitions and replicas"),
  Command.withExamples([{ command: "weft topics list" }])
)

const changed = (configs: ReadonlyArray<ConfigEntry>) => configs.filter(({ isDefault }) => !isDefault)

const describeTopic = Effect.fnUntraced(function*(name: string) {
  yield* knownTopics([name])
  const admin = yield* Admin
  const [topic] = yield* admin.describeTopics([name])
  const partitions = topic!.partitions.map(({ partition }) => TopicPartition.make(name, partition))
  const beginnings = yield* admin.listOffsets(partitions, "earliest")
  const ends = yield* admin.listOffsets(partitions, "latest")
  const configs = yield* admin.describeConfigs({ _tag: "Topic", name })
  const at = (offsets: typeof ends, partition: number) =>
    offsets.find((one) => one.partition === partition)?.offset ?? 0n
  const rows = topic!.partitions.map((one) => ({
    ...one,
    beginning: at(beginnings, one.partition),
    end: at(ends, one.partition)
  }))
  const settings = changed(configs)
  return {
    json: {
      topic: name,
      internal: topic!.internal,
      partitions: rows,
      configs: Object.fromEntries(settings.map((entry) => [entry.name, entry.isSensitive ? null : entry.value]))
    },
    text: (paint: Paint) =>
      [
        table(paint, [
          { title: "PARTITION", value: (row) => row.partition, align: "right" },
          { title: "BEGINNING", value: (row) => row.beginning, align: "right" },
          { title: "END", value: (row) => row.end, align: "right" },
          { title: "RECORDS", value: (row) => row.end - row.beginning, align: "right" },
          {
            title: "LEADER",
            value: (row) => row.leader < 0 ? "none" : row.leader,
            align: "right",
            paint: (row) => row.leader < 0 ? "red" : undefined
          },
          { title: "REPLICAS", value: (row) => row.replicas.join(",") },
          {
            title: "IN SYNC",
            value: (row) => row.isr.join(","),
            paint: (row) => row.isr.length < row.replicas.length ? "red" : undefined
          }
        ], rows),
        "",
        settings.length === 0
          ? paint.dim("every setting of the topic is the broker's default")
          : fields(paint, settings.map((entry) => [entry.name, entry.isSensitive ? "(hidden)" : entry.value ?? ""]))
      ].join("\n")
  } satisfies Answer
})

const describe = Command.make("describe", {
  topic: Argument.String("topic").pipe(Argument.withDescription("The topic's name"))
}, ({ topic }) => answer(withKafka(describeTopic(topic)))).pipe(
  Command.withDescription("Show a topic's partitions with their offsets, leaders and replicas, and its own settings"),
  Command.withExamples([{ command: "weft topics describe location.address.geocoded" }])
)

export const topics = Command.make("topics").pipe(
  Command.withDescription("Look at topics"),
  Command.withSubcommands([list, describe])
)
