import { Admin, lag as lagOf, type OffsetChange, planReset, resetOffsets } from "@weft/kafka/Admin"
import type { GroupDescription } from "@weft/kafka/Transport"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { CliFailure } from "../../CliFailure.ts"
import { type Answer, answer } from "../answer.ts"
import { knownGroup, knownTopics, withKafka } from "../kafka.ts"
import type { Paint } from "../paint.ts"
import { accepted, resetTarget } from "../resetTarget.ts"
import { count, fields, table } from "../table.ts"
import { topicFlag } from "./lag.ts"

const groupArgument = Argument.String("group").pipe(Argument.withDescription("The consumer group's id"))

const topicsOf = ({ members }: GroupDescription): ReadonlyArray<string> =>
  [...new Set(members.flatMap(({ assignment }) => assignment.map(({ topic }) => topic)))].sort()

const stateColour = (state: string): keyof Paint | undefined =>
  state === "Stable" ? "green" : state === "Empty" ? "dim" : "yellow"

const listGroups = Effect.gen(function*() {
  const admin = yield* Admin
  const listed = yield* admin.listGroups
  const described = yield* admin.describeGroups(
    listed.filter(({ protocolType }) => protocolType === "consumer" || protocolType === "").map(({ groupId }) =>
      groupId
    )
  )
  const rows = described.map((group) => ({
    group: group.groupId,
    state: group.state,
    members: group.members.length,
    strategy: group.protocol,
    topics: topicsOf(group)
  })).sort((a, b) => a.group < b.group ? -1 : 1)
  return {
    json: rows,
    text: (paint: Paint) =>
      rows.length === 0 ? "no consumer groups" : table(paint, [
        { title: "GROUP", value: (row) => row.group },
        { title: "STATE", value: (row) => row.state, paint: (row) => stateColour(row.state) },
        { title: "MEMBERS", value: (row) => row.members, align: "right" },
        { title: "STRATEGY", value: (row) => row.strategy },
        { title: "TOPICS", value: (row) => row.topics.join(", ") }
      ], rows)
  } satisfies Answer
})

const list = Command.make("list", {}, () => answer(withKafka(listGroups))).pipe(
  Command.withDescription("List consumer groups with their state and members"),
  Command.withExamples([{ command: "weft groups list" }])
)

const describeGroup = Effect.fnUntraced(function*(name: string) {
  yield* knownGroup(name)
  const admin = yield* Admin
  const [group] = yield* admin.describeGroups([name])
  const { members, protocol, state } = group!
  const places = yield* lagOf(name)
  const totalLag = places.reduce((sum, one) => sum + one.lag, 0n)
  const rows = members.map((member) => ({
    memberId: member.memberId,
    clientId: member.clientId,
    host: member.host.replace(/^\//, ""),
    assignment: member.assignment.map(({ partition, topic }) => ({ topic, partition }))
  }))
  return {
    json: { group: name, state, strategy: protocol, totalLag, members: rows },
    text: (paint: Paint) =>
      [
        fields(paint, [
          ["group", name],
          ["state", state],
          ["strategy", protocol === "" ? "none" : protocol],
          ["lag", `${count(Number(totalLag), "record")} over ${count(places.length, "partition")}`]
        ]),
        "",
        rows.length === 0 ? "no members: nobody reads" : table(paint, [
          { title: "CLIENT", value: (row) => row.clientId },
          { title: "HOST", value: (row) => row.host },
          { title: "MEMBER", value: (row) => row.memberId },
          { title: "PARTITIONS", value: ({ assignment }) => partitionsInShort(assignment) }
        ], rows)
      ].join("\n")
  } satisfies Answer
})

/** `orders: 0-3,7`, as neighbours are many. */
const partitionsInShort = (assignment: ReadonlyArray<{ readonly topic: string; readonly partition: number }>): string =>
  assignment.length === 0 ? "none" : [...Map.groupBy(assignment, ({ topic }) => topic)].map(([topic, all]) => {
    const runs: Array<[first: number, last: number]> = []
    for (const partition of all.map((one) => one.partition).sort((a, b) => a - b)) {
      const run = runs.at(-1)
      if (run !== undefined && run[1] === partition - 1) run[1] = partition
      else runs.push([partition, partition])
    }
    return `${topic}: ${runs.map(([first, last]) => first === last ? first : `${first}-${last}`).join(",")}`
  }).join("; ")

const describe = Command.make(
  "describe",
  { group: groupArgument },
  ({ group }) => answer(withKafka(describeGroup(group)))
).pipe(
  Command.withDescription("Show a group's members and what each of them reads"),
  Command.withExamples([{ command: "weft groups describe loom-georegion" }])
)

const movement = ({ from, to }: OffsetChange): string =>
  from === undefined
    ? "none committed before"
    : to < from
    ? `${count(Number(from - to), "record")} again`
    : `${count(Number(to - from), "record")} skipped`

const planAnswer = (group: string, words: string, plan: ReadonlyArray<OffsetChange>, executed: boolean): Answer => ({
  json: { group, executed, changes: plan.map((change) => ({ ...change, from: change.from ?? null })) },
  text: (paint) =>
    plan.length === 0 ? `nothing to change: ${group} is at ${words} already` : [
      `${executed ? "moved" : "would move"} ${paint.bold(group)} to ${words}`,
      "",
      table(paint, [
        { title: "TOPIC", value: (row) => row.topic },
        { title: "PARTITION", value: (row) => row.partition, align: "right" },
        { title: "FROM", value: (row) => row.from ?? "none", align: "right" },
        { title: "TO", value: (row) => row.to, align: "right" },
        {
          title: "MEANS",
          value: movement,
          paint: ({ from, to }) => from !== undefined && to > from ? "yellow" : undefined
        }
      ], plan),
      ...executed ? [] : ["", `nothing was changed; add ${paint.bold("--execute")} to do it`]
    ].join("\n")
})

/** A name that nobody has is a slip more often than a wish: a new group has to be asked for. */
const groupToReset = (group: string, topics: ReadonlyArray<string>) =>
  Effect.mapError(knownGroup(group), (error) => {
    if (error._tag !== "CliFailure" || topics.length === 0) return error
    const { kind, message, near, next } = error
    return new CliFailure({ kind, message, near, next: `${next}; --create gives a new one its first offsets` })
  })

const resetGroup = Effect.fnUntraced(
  function*({ create, execute, group, to, topics }: {
    readonly group: string
    readonly topics: ReadonlyArray<string>
    readonly to: string
    readonly execute: boolean
    readonly create: boolean
  }) {
    const target = resetTarget(to, yield* Clock.currentTimeMillis)
    if (target._tag === "Bad") {
      return yield* new CliFailure({
        kind: "Usage",
        message: `--to "${to}" is nothing to move to`,
        next: `--to accepts ${target.expected}`
      })
    }
    if (create && topics.length === 0) {
      return yield* new CliFailure({
        kind: "Usage",
        message: "--create needs a --topic: a new group has committed nothing that could be moved",
        next: `name what it is to read: weft groups reset ${group} --to ${to} --create --topic TOPIC`
      })
    }
    yield* knownTopics(topics)
    if (!create) yield* groupToReset(group, topics)
    const admin = yield* Admin
    const named = topics.length > 0 ? topics : [
      ...new Set((yield* admin.committedOffsets(group)).map(({ topic }) => topic))
    ]
    if (named.length === 0) {
      return yield* new CliFailure({
        kind: "NotFound",
        message: `the group "${group}" has committed no offsets`,
        next: `name what it is to read: weft groups reset ${group} --to ${to} --topic TOPIC`
      })
    }
    const plan = yield* planReset(group, named, target.to)
    if (execute) yield* resetOffsets(group, plan)
    return planAnswer(group, target.words, plan, execute)
  }
)

const reset = Command.make("reset", {
  group: groupArgument,
  to: Flag.String("to").pipe(
    Flag.withMetavar("where"),
    Flag.withDescription(`Where to (required): ${accepted}`)
  ),
  topic: topicFlag,
  create: Flag.Boolean("create").pipe(
    Flag.withDescription("Give a group that does not exist its first offsets, of the topics that are named"),
    Flag.withDefault(false)
  ),
  execute: Flag.Boolean("execute").pipe(
    Flag.withDescription("Do it; without this flag the plan is shown and nothing changes"),
    Flag.withDefault(false)
  )
}, ({ topic, ...given }) => answer(withKafka(resetGroup({ ...given, topics: topic })))).pipe(
  Command.withDescription(
    "Move a group's committed offsets. It shows the plan first; --execute carries it out. The group must have no members."
  ),
  Command.withShortDescription("Move a group's committed offsets (plan first)"),
  Command.withExamples([
    {
      command: "weft groups reset loom-georegion --to earliest",
      description: "What reading everything again would mean"
    },
    { command: "weft groups reset loom-georegion --to 2h --topic location.address.geocoded --execute" },
    {
      command: "weft groups reset loom-next --to latest --topic orders --create --execute",
      description: "Where a group that has not run yet will begin"
    },
    { command: "weft groups reset loom-georegion --to 2026-01-31T08:00:00Z --execute" }
  ])
)

export const groups = Command.make("groups").pipe(
  Command.withDescription("Look at consumer groups, and move their offsets"),
  Command.withSubcommands([list, describe, reset])
)
