/** The lag of groups as tables and as JSON. Pure. */
import type { GroupLag, Look } from "@weft/pipeline/GroupMonitor"
import * as GroupMonitor from "@weft/pipeline/GroupMonitor"
import type { PartitionLag } from "@weft/pipeline/LagMonitor"
import * as LagStatus from "@weft/pipeline/LagStatus"
import { kafkaFailure } from "./kafka.ts"
import { type Paint, safe } from "./paint.ts"
import { type Column, count, table } from "./table.ts"
import { span } from "./times.ts"

/** Fewer looks tell a status only where there is no lag, and fewer than two no speed. */
const looksForStatus = 3
const looksForRates = 2

interface Told {
  readonly status: LagStatus.LagStatus
  readonly lag: bigint
  readonly lagSeconds: number
  readonly secondsToDrain: number | undefined
}

export const statusColours: { readonly [K in LagStatus.LagStatus]: keyof Paint } = {
  ok: "green",
  slow: "yellow",
  "back-pressured": "yellow",
  paused: "yellow",
  rewind: "yellow",
  stall: "red",
  stuck: "red",
  stop: "red",
  halted: "red"
}

/** Nothing is claimed before it is known. */
export const knownStatus = (
  { lag, status }: Pick<Told, "lag" | "status">,
  looks: number
): LagStatus.LagStatus | undefined => lag === 0n || looks >= looksForStatus ? status : undefined

const drain = ({ lag, secondsToDrain }: Told, looks: number): string =>
  lag === 0n ? "" : looks < looksForRates ? "?" : secondsToDrain === undefined ? "never" : span(secondsToDrain)

/** The columns that every table of lag ends with. */
const toldColumns = <Row>(
  told: (row: Row) => Told,
  looks: (row: Row) => number,
  hasRates: boolean
): ReadonlyArray<Column<Row>> => [
  {
    title: "LAG",
    value: (row) => told(row).lag,
    align: "right",
    paint: (row) => told(row).lag === 0n ? "green" : undefined
  },
  { title: "BEHIND", value: (row) => span(told(row).lagSeconds), align: "right" },
  ...hasRates
    ? [{ title: "DRAINED IN", value: (row: Row) => drain(told(row), looks(row)), align: "right" as const }]
    : [],
  {
    title: "STATUS",
    value: (row) => knownStatus(told(row), looks(row)) ?? "?",
    paint: (row) => {
      const status = knownStatus(told(row), looks(row))
      return status === undefined ? undefined : statusColours[status]
    }
  }
]

const ofPartition = ({ sample, secondsToDrain, status }: PartitionLag): Told => ({
  status,
  lag: sample.lag,
  lagSeconds: sample.lagSeconds,
  secondsToDrain
})

interface TopicLag extends Told {
  readonly topic: string
  readonly partitions: number
  readonly maxPartitionLag: bigint
}

const byTopic = (partitions: ReadonlyArray<PartitionLag>): ReadonlyArray<TopicLag> =>
  [...Map.groupBy(partitions, ({ sample }) => sample.topic)].map(([topic, all]) => ({
    topic,
    partitions: all.length,
    maxPartitionLag: all.reduce((most, { sample }) => sample.lag > most ? sample.lag : most, 0n),
    ...GroupMonitor.summary(all)
  }))

const toldJson = (told: Told, looks: number) => ({
  lag: told.lag,
  lagSeconds: told.lagSeconds,
  secondsToDrain: looks < looksForRates && told.lag > 0n ? null : told.secondsToDrain ?? null,
  status: knownStatus(told, looks) ?? null
})

const partitionJson = (one: PartitionLag, looks: number) => ({
  topic: one.sample.topic,
  partition: one.sample.partition,
  committed: one.sample.consumerOffset,
  end: one.sample.endOffset,
  ...toldJson(ofPartition(one), looks),
  consumedPerSecond: looks < looksForRates ? null : one.rates.consumedPerSecond,
  producedPerSecond: looks < looksForRates ? null : one.rates.producedPerSecond
})

/** A group in one object, without its partitions. */
export const groupJson = (group: GroupLag) => ({
  group: group.group,
  service: group.service,
  state: group.state ?? null,
  members: group.members ?? null,
  partitionCount: group.partitions.length,
  leaderlessCount: group.leaderless.length,
  ...toldJson(group, group.looks)
})

/** The same, with them. */
export const groupPartitionsJson = (group: GroupLag) => ({
  ...groupJson(group),
  partitions: group.partitions.map((one) => partitionJson(one, group.looks))
})

/** All that is known of a group. */
export const groupDetailJson = (group: GroupLag) => ({
  ...groupPartitionsJson(group),
  topics: byTopic(group.partitions).map((topic) => ({
    topic: topic.topic,
    partitions: topic.partitions,
    maxPartitionLag: topic.maxPartitionLag,
    ...toldJson(topic, group.looks)
  })),
  leaderless: group.leaderless.map(({ partition, topic }) => ({ topic, partition })),
  uncommitted: group.uncommitted.map((one) => ({ ...one, records: one.end - one.beginning }))
})

const groupsTable = (paint: Paint, groups: ReadonlyArray<GroupLag>): string =>
  table(paint, [
    { title: "GROUP", value: ({ group }) => group },
    ...groups.some(({ group, service }) => group !== service)
      ? [{ title: "SERVICE", value: ({ group, service }: GroupLag) => service === group ? "" : service }]
      : [],
    { title: "STATE", value: ({ state }) => state ?? "?" },
    { title: "MEMBERS", value: ({ members }) => members ?? "?", align: "right" },
    { title: "PARTITIONS", value: ({ partitions }) => partitions.length, align: "right" },
    ...toldColumns<GroupLag>(
      (group) => group,
      ({ looks }) => looks,
      groups.some(({ looks }) => looks >= looksForRates)
    )
  ], groups)

const severity = ({ status }: GroupLag): number => LagStatus.bySeverity.indexOf(status)

/** The worst first, then those that are furthest behind. */
const byNeed = (a: GroupLag, b: GroupLag): number =>
  severity(a) - severity(b) || b.lagSeconds - a.lagSeconds || Number(b.lag - a.lag)

/** All groups of a look, the worst first. */
export const lookText = (paint: Paint, { failed, groups }: Pick<Look, "failed" | "groups">): string =>
  [
    groups.length === 0 ? "there are no such consumer groups" : groupsTable(paint, groups.toSorted(byNeed)),
    ...failed.map(({ error, group }) => `${paint.red("!")} ${safe(group)}: ${kafkaFailure(error).message}`)
  ].join("\n")

const topicsTable = (paint: Paint, { looks, partitions }: GroupLag): string =>
  table(paint, [
    { title: "TOPIC", value: ({ topic }) => topic },
    { title: "PARTITIONS", value: ({ partitions }) => partitions, align: "right" },
    { title: "MOST OF ONE", value: ({ maxPartitionLag }) => maxPartitionLag, align: "right" },
    ...toldColumns<TopicLag>((topic) => topic, () => looks, looks >= looksForRates)
  ], byTopic(partitions))

const partitionsTable = (paint: Paint, { looks, partitions }: GroupLag): string =>
  table(paint, [
    { title: "TOPIC", value: ({ sample }) => sample.topic },
    { title: "PARTITION", value: ({ sample }) => sample.partition, align: "right" },
    { title: "COMMITTED", value: ({ sample }) => sample.consumerOffset, align: "right" },
    { title: "END", value: ({ sample }) => sample.endOffset, align: "right" },
    ...toldColumns(ofPartition, () => looks, looks >= looksForRates)
  ], partitions)

/** What is not in the table, and would be missed. */
const remarks = (paint: Paint, { leaderless, uncommitted }: GroupLag): ReadonlyArray<string> => {
  const records = uncommitted.reduce((sum, { beginning, end }) => sum + (end - beginning), 0n)
  return [
    ...uncommitted.length === 0 ? [] : [
      `${paint.yellow("!")} nothing is committed for ${count(uncommitted.length, "more partition")} ` +
      `with ${count(Number(records), "record")}`
    ],
    ...leaderless.length === 0 ? [] : [
      `${paint.yellow("!")} without a leader: ${
        leaderless.slice(0, 5).map(({ partition, topic }) => `${safe(topic)} ${partition}`).join(", ")
      }${leaderless.length > 5 ? ` and ${leaderless.length - 5} more` : ""}`
    ]
  ]
}

const drainWords = (group: GroupLag): string =>
  group.looks < looksForRates ? "" : group.secondsToDrain === undefined
    ? ", and does not catch up"
    : `, drained in ${span(group.secondsToDrain)}`

/** `1204 records and 5m behind, drained in 2m`. */
export const behind = (group: GroupLag): string =>
  `${count(Number(group.lag), "record")} and ${span(group.lagSeconds)} behind${drainWords(group)}`

/** A group by topic, or by partition. */
export const groupText = (paint: Paint, group: GroupLag, byPartition: boolean): string => {
  const { lag, members, partitions, state } = group
  const name = paint.bold(safe(group.group))
  if (partitions.length === 0) {
    return [
      `${name} has committed no offsets`,
      ...group.uncommitted.length === 0
        ? ["name a topic to see what there is to read: --topic TOPIC"]
        : remarks(paint, group)
    ].join("\n")
  }
  return [
    (byPartition ? partitionsTable : topicsTable)(paint, group),
    "",
    ...remarks(paint, group),
    `${name}${
      state === undefined || members === undefined ? "" : `, ${state.toLowerCase()} with ${count(members, "member")},`
    } ${lag === 0n ? "has nothing to catch up on" : `is ${behind(group)}`}`
  ].join("\n")
}
