import { type PartitionLag, lag as lagOf } from "@weft/kafka/Admin"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { type Answer, answer } from "../answer.ts"
import { knownGroup, knownTopics, withKafka } from "../kafka.ts"
import type { Paint } from "../paint.ts"
import { count, table } from "../table.ts"

const byTopic = (places: ReadonlyArray<PartitionLag>) =>
  [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, partitions]) => ({
    topic,
    partitions: partitions.length,
    lag: partitions.reduce((sum, one) => sum + one.lag, 0n),
    maxPartitionLag: partitions.reduce((most, one) => one.lag > most ? one.lag : most, 0n)
  })).sort((a, b) => a.topic < b.topic ? -1 : 1)

const total = (places: ReadonlyArray<{ readonly lag: bigint }>): bigint =>
  places.reduce((sum, one) => sum + one.lag, 0n)

const colour = ({ lag }: { readonly lag: bigint }): keyof Paint | undefined => lag === 0n ? "green" : undefined

const lagAnswer = (group: string, places: ReadonlyArray<PartitionLag>, partitions: boolean): Answer => {
  const topics = byTopic(places)
  const sum = total(places)
  return {
    json: {
      group,
      totalLag: sum,
      topics,
      partitions: places.map((one) => ({ ...one, committed: one.committed ?? null }))
    },
    text: (paint) =>
      places.length === 0
        ? `the group has committed no offsets; name a topic to count from its beginning: weft lag ${group} --topic TOPIC`
        : [
          partitions
            ? table(paint, [
              { title: "TOPIC", value: (row) => row.topic },
              { title: "PARTITION", value: (row) => row.partition, align: "right" },
              { title: "COMMITTED", value: (row) => row.committed ?? "none", align: "right" },
              { title: "END", value: (row) => row.end, align: "right" },
              { title: "LAG", value: (row) => row.lag, align: "right", paint: colour }
            ], places)
            : table(paint, [
              { title: "TOPIC", value: (row) => row.topic },
              { title: "PARTITIONS", value: (row) => row.partitions, align: "right" },
              { title: "LAG", value: (row) => row.lag, align: "right", paint: colour },
              { title: "MOST OF ONE PARTITION", value: (row) => row.maxPartitionLag, align: "right" }
            ], topics),
          "",
          sum === 0n ? `${group} has nothing to catch up on` : `${group} is ${count(Number(sum), "record")} behind`
        ].join("\n")
  }
}

const read = Effect.fnUntraced(function*(group: string, topics: ReadonlyArray<string>, partitions: boolean) {
  yield* knownGroup(group)
  yield* knownTopics(topics)
  return lagAnswer(group, yield* lagOf(group, topics.length === 0 ? undefined : topics), partitions)
})

export const topicFlag = Flag.String("topic").pipe(
  Flag.withAlias("t"),
  Flag.withDescription("Only this topic; can be given several times"),
  Flag.atLeast(0)
)

export const lag = Command.make("lag", {
  group: Argument.String("group").pipe(Argument.withDescription("The consumer group's id")),
  topic: topicFlag,
  partitions: Flag.Boolean("partitions").pipe(
    Flag.withAlias("p"),
    Flag.withDescription("A line for each partition"),
    Flag.withDefault(false)
  )
}, ({ group, partitions, topic }) => answer(withKafka(read(group, topic, partitions)))).pipe(
  Command.withDescription(
    "Show how many records a consumer group is behind, by its committed offsets. It need not be a group of Weft."
  ),
  Command.withShortDescription("Show how many records a consumer group is behind"),
  Command.withExamples([
    { command: "weft lag loom-georegion" },
    { command: "weft lag loom-georegion --topic location.address.geocoded --partitions" }
  ])
)
