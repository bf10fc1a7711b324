import * as Admin from "@weft/kafka/Admin"
import * as LogReader from "@weft/kafka/LogReader"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { CliFailure } from "../../CliFailure.ts"
import { type Answer, answer } from "../answer.ts"
import { positive } from "../counts.ts"
import { byCause, bytesText, isDeadLetterTopic, type Letter, letterJson, letterOf, ownHeaders } from "../deadLetters.ts"
import { knownTopics, listingAgain, withKafka } from "../kafka.ts"
import type { Paint } from "../paint.ts"
import { count, fields, table } from "../table.ts"
import { moment } from "../times.ts"

const when = (timestamp: number): string => timestamp < 0 ? "unknown" : moment(timestamp)

const deadLetterTopics = listingAgain(Effect.gen(function*() {
  const admin = yield* Admin.Admin
  const topics = (yield* admin.listTopics).filter(isDeadLetterTopic).sort()
  return { topics, ranges: yield* LogReader.ranges(topics) }
}))

const listTopics = Effect.gen(function*() {
  const { ranges, topics } = yield* deadLetterTopics
  const rows = topics.map((topic) => {
    const own = ranges.filter((range) => range.topic === topic)
    return { topic, partitions: own.length, records: own.reduce((sum, { from, to }) => sum + (to - from), 0n) }
  })
  return {
    json: rows.map(({ records, topic }) => ({ topic, records })),
    text: (paint: Paint) =>
      rows.length === 0
        ? "no dead-letter topics: none ends with .dlq or -dlt"
        : table(paint, [
          { title: "TOPIC", value: (row) => row.topic },
          {
            title: "RECORDS",
            value: (row) => row.records,
            align: "right",
            paint: (row) => row.records > 0n ? "yellow" : "green"
          }
        ], rows)
  } satisfies Answer
})

const list = Command.make("list", {}, () => answer(withKafka(listTopics))).pipe(
  Command.withDescription(
    "List dead-letter topics (those that end with .dlq or -dlt) with the number of records that they keep"
  ),
  Command.withShortDescription("List dead-letter topics with their records"),
  Command.withExamples([{ command: "weft dlq list" }])
)

const topicArgument = Argument.String("topic").pipe(Argument.withDescription("The dead-letter topic's name"))

const letters = (ranges: ReadonlyArray<LogReader.LogRange>) =>
  Effect.map(Stream.runCollect(LogReader.read(ranges)), (records) => records.map(letterOf))

/** The youngest last, over all partitions. */
const byTime = (a: Letter, b: Letter): number =>
  a.record.timestamp - b.record.timestamp || a.record.partition - b.record.partition
  || (a.record.offset < b.record.offset ? -1 : 1)

const lettersAnswer = (topic: string, shown: ReadonlyArray<Letter>): Answer => ({
  json: shown.map(letterJson),
  text: (paint) =>
    shown.length === 0 ? `${topic} is empty` : [
      table(paint, [
        { title: "PLACE", value: ({ record }) => `${record.partition}@${record.offset}` },
        { title: "WRITTEN", value: ({ record }) => when(record.timestamp) },
        {
          title: "CAME FROM",
          value: ({ info }) => info === undefined ? "" : `${info.topic}-${info.partition}@${info.offset}`
        },
        { title: "ATTEMPTS", value: ({ info }) => info?.attempts ?? "", align: "right" },
        { title: "EXCEPTION", value: ({ info }) => info?.exception ?? "", paint: () => "red" },
        { title: "MESSAGE", value: ({ info }) => (info?.message ?? "").slice(0, 60) },
        { title: "KEY", value: ({ record }) => bytesText(record.key, 24) }
      ], shown),
      "",
      paint.dim(`weft dlq show ${topic} --at PLACE shows all of one`)
    ].join("\n")
})

const letterAnswer = (letter: Letter): Answer => ({
  json: letterJson(letter),
  text: (paint) => {
    const { info, record } = letter
    return [
      fields(paint, [
        ["place", `${record.topic}-${record.partition}@${record.offset}`],
        ["written", when(record.timestamp)],
        ...info === undefined ? [["came from", "unknown: it has no headers of a dead letter"]] as const : [
          ["came from", `${info.topic}-${info.partition}@${info.offset}`],
          ["its time", when(info.timestamp)],
          ["group", info.consumerGroup],
          ["attempts", String(info.attempts)],
          [
            "exception",
            info.exceptionCause === undefined ? info.exception : `${info.exception}, caused by ${info.exceptionCause}`
          ],
          ["message", info.message]
        ] as const,
        ["key", bytesText(record.key)],
        ...ownHeaders(record).map(({ name, value }) => [`header ${name}`, bytesText(value)] as const)
      ]),
      "",
      bytesText(record.value),
      ...info === undefined || info.stacktrace === "" ? [] : ["", paint.dim(info.stacktrace)]
    ].join("\n")
  }
})

/** `3@1200`: a partition and an offset in it. */
const placePattern = /^(\d{1,9})@(\d{1,18})$/

const showOne = Effect.fnUntraced(function*(topic: string, at: string) {
  const place = placePattern.exec(at)
  if (place === null) {
    return yield* new CliFailure({
      kind: "Usage",
      message: `"${at}" is no place: PARTITION@OFFSET is, such as 0@1200`,
      next: `weft dlq show ${topic} lists places`
    })
  }
  const partition = Number(place[1])
  const from = BigInt(place[2]!)
  const inLog = (yield* LogReader.ranges([topic])).some((one) =>
    one.partition === partition && one.from <= from && from < one.to
  )
  const found = inLog ? yield* letters([{ topic, partition, from, to: from + 1n }]) : []
  return found[0] !== undefined ? letterAnswer(found[0]) : yield* new CliFailure({
    kind: "NotFound",
    message: `${topic} has no record at ${at}`,
    next: `weft dlq show ${topic} lists places`
  })
})

const show = Command.make("show", {
  topic: topicArgument,
  last: Flag.Int("last").pipe(
    Flag.withAlias("n"),
    Flag.withDescription("How many, the youngest of all partitions"),
    Flag.withDefault(20)
  ),
  at: Flag.String("at").pipe(
    Flag.withMetavar("place"),
    Flag.withDescription("All of the one at PARTITION@OFFSET: headers, value, stack trace"),
    Flag.optional
  )
}, ({ at, last, topic }) =>
  answer(withKafka(Effect.gen(function*() {
    yield* knownTopics([topic])
    if (Option.isSome(at)) return yield* showOne(topic, at.value)
    const most = yield* positive("--last", last)
    const found = yield* letters(yield* LogReader.ranges([topic], { last: most }))
    return lettersAnswer(topic, found.toSorted(byTime).slice(-most))
  })))).pipe(
    Command.withDescription(
      "Show dead letters: where each came from and why it failed. Nothing is consumed; no group is joined."
    ),
    Command.withShortDescription("Show dead letters and why they failed"),
    Command.withExamples([
      { command: "weft dlq show orders.dlq", description: "The last 20" },
      { command: "weft dlq show orders.dlq --at 0@1200", description: "One, with its value and stack trace" }
    ])
  )

const countLetters = Effect.fnUntraced(function*(topic: string, last: number) {
  yield* knownTopics([topic])
  const most = yield* positive("--last", last)
  const all = yield* LogReader.ranges([topic])
  const causes = byCause(yield* letters(LogReader.youngest(all, most)))
  const isAll = all.every(({ from, to }) => to - from <= BigInt(most))
  const total = causes.reduce((sum, one) => sum + one.count, 0)
  return {
    json: { topic, counted: total, complete: isAll, causes },
    text: (paint: Paint) =>
      causes.length === 0 ? `${topic} is empty` : [
        table(paint, [
          { title: "RECORDS", value: (row) => row.count, align: "right" },
          { title: "EXCEPTION", value: (row) => row.exception, paint: () => "red" },
          { title: "CAME FROM", value: (row) => row.topic },
          { title: "FIRST", value: (row) => when(row.first) },
          { title: "LAST", value: (row) => when(row.last) },
          { title: "LAST ONE AT", value: (row) => row.example },
          { title: "ITS MESSAGE", value: (row) => row.message.slice(0, 60) }
        ], causes),
        "",
        isAll
          ? `${count(total, "record")} in all`
          : `${count(total, "record")} looked at, the last ${most} of each partition; --last counts more`
      ].join("\n")
  } satisfies Answer
})

const counted = Command.make("count", {
  topic: topicArgument,
  last: Flag.Int("last").pipe(
    Flag.withAlias("n"),
    Flag.withDescription("How many of each partition are looked at, the youngest"),
    Flag.withDefault(10_000)
  )
}, ({ last, topic }) => answer(withKafka(countLetters(topic, last)))).pipe(
  Command.withDescription("Count dead letters by exception and by the topic that they came from"),
  Command.withShortDescription("Count dead letters by exception"),
  Command.withExamples([{ command: "weft dlq count orders.dlq" }])
)

export const dlq = Command.make("dlq").pipe(
  Command.withDescription("Look at dead letters: records that could not be processed, and why"),
  Command.withSubcommands([list, show, counted])
)
