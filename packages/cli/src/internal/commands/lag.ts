import { Admin } from "@weft/kafka/Admin"
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as GroupMonitor from "@weft/pipeline/GroupMonitor"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Backends } from "../../Backends.ts"
import { CliFailure } from "../../CliFailure.ts"
import { type Answer, orFail } from "../answer.ts"
import { inTime, inWords, kafkaFailure, knownTopics, withOpenKafka } from "../kafka.ts"
import { groupDetailJson, groupJson, groupText, lookText } from "../lagTables.ts"
import { nearNames } from "../nearNames.ts"
import { type ServiceGroups, serviceGroups, servicesOf } from "../serviceGroups.ts"
import { answerWatching, watchFlags } from "../watch.ts"

/** What a service's group is called where its row does not say. */
const derivedGroup = (service: string): string => `${service}-consumer-group`

const notFound = (name: string, groups: ReadonlyArray<string>, services: ServiceGroups) => {
  const group = services.get(name)
  return new CliFailure({
    kind: "NotFound",
    message: group === undefined
      ? `no consumer group${services.size === 0 ? "" : " and no service"} is called "${name}"`
      : `the members of ${name} would be in the group "${group}", which does not exist: none has ever joined`,
    near: group === undefined ? nearNames(name, new Set([...services.keys(), ...groups])) : [],
    next: "weft groups list shows all groups, weft config list all services"
  })
}

/** The group that is meant: by its own name, or by that of the service whose members are in it. */
const groupOf = Effect.fnUntraced(function*(name: string) {
  const admin = yield* Admin
  const groups = (yield* admin.listGroups).map(({ groupId }) => groupId)
  if (groups.includes(name)) return name
  // That the database is away is no secret only where it would have helped.
  const services = yield* Effect.result(serviceGroups)
  const known: ServiceGroups = Result.isSuccess(services) ? services.success : new Map<string, string>()
  const found = [known.get(name) ?? derivedGroup(name)].find((group) => groups.includes(group))
  if (found !== undefined) return found
  const missing = notFound(name, groups, known)
  if (Result.isSuccess(services)) return yield* missing
  return yield* new CliFailure({
    kind: services.failure.kind,
    message: `${missing.message}; whether a service is cannot be told: ${services.failure.message}`,
    near: missing.near,
    next: services.failure.next
  })
})

/** Looks that follow each other, and what is said of each. */
interface Looking {
  readonly monitor: GroupMonitor.GroupMonitor
  readonly answerOf: (look: GroupMonitor.Look) => Effect.Effect<Answer, CliFailure>
}

const onlyTopics = (topics: ReadonlyArray<string>): Pick<GroupMonitor.Options, "topics"> =>
  topics.length === 0 ? {} : { topics: (topic) => topics.includes(topic) }

/** At all groups. A database that is away costs the names of their services. */
const atAll = Effect.fnUntraced(function*(topics: ReadonlyArray<string>): Effect.fn.Return<
  Looking,
  KafkaError | CliFailure,
  Admin | Backends
> {
  yield* knownTopics(topics)
  const groupsOf = yield* Effect.result(serviceGroups)
  const services = servicesOf(Result.getOrElse(groupsOf, () => new Map<string, string>()))
  const missing = Result.isFailure(groupsOf) ? groupsOf.failure.message : undefined
  return {
    monitor: GroupMonitor.make({ ...onlyTopics(topics), serviceOf: (group) => services.get(group) ?? group }),
    answerOf: ({ failed, groups: all }) => {
      const groups = topics.length === 0 ? all : all.filter(({ partitions }) => partitions.length > 0)
      return Effect.succeed({
        json: {
          groups: groups.map(groupJson),
          failed: failed.map(({ error, group }) => ({ group, message: kafkaFailure(error).message })),
          servicesUnknown: missing ?? null
        },
        text: (paint) =>
          [
            lookText(paint, { failed, groups }),
            ...missing === undefined ? [] : [`${paint.yellow("!")} services are not known: ${missing}`]
          ].join("\n")
      })
    }
  }
})

/** At one group. */
const atOne = Effect.fnUntraced(function*(
  name: string,
  topics: ReadonlyArray<string>,
  byPartition: boolean
): Effect.fn.Return<Looking, KafkaError | CliFailure, Admin | Backends> {
  const wanted = yield* groupOf(name)
  yield* knownTopics(topics)
  return {
    monitor: GroupMonitor.make({
      ...onlyTopics(topics),
      groups: (group) => group === wanted,
      serviceOf: () => name,
      uncommitted: { topics }
    }),
    answerOf: ({ groups: [group] }) =>
      group === undefined
        ? Effect.fail(notFound(name, [], new Map()))
        : Effect.succeed({
          json: groupDetailJson(group),
          text: (paint) => groupText(paint, group, byPartition)
        })
  }
})

/** Each run is a look; what comes before the first one is done once, as soon as it can be done. */
const looking = <E, R>(start: Effect.Effect<Looking, E, R>) => {
  let started: Looking | undefined
  return Effect.gen(function*() {
    started ??= yield* start
    return yield* started.answerOf(yield* started.monitor.look)
  })
}

export const topicFlag = Flag.String("topic").pipe(
  Flag.withAlias("t"),
  Flag.withDescription("Only this topic; can be given several times"),
  Flag.atLeast(0)
)

export const lag = Command.make("lag", {
  name: Argument.String("service|group").pipe(
    Argument.withDescription("A consumer group, or the service whose members are in it; left out, all groups"),
    Argument.optional
  ),
  topic: topicFlag,
  partitions: Flag.Boolean("partitions").pipe(
    Flag.withAlias("p"),
    Flag.withDescription("A line for each partition"),
    Flag.withDefault(false)
  ),
  ...watchFlags
}, ({ interval, name, partitions, topic, watch }) => {
  const look = looking(
    Option.match(name, { onNone: () => atAll(topic), onSome: (one) => atOne(one, topic, partitions) })
  )
  return orFail(withOpenKafka(answerWatching(inTime(inWords(look)), { watch, interval })))
}).pipe(
  Command.withDescription(
    "Show how far consumer groups are behind, in records and in time, by their committed offsets. They need not be " +
      "groups of Weft. With --watch also how fast they drain, and what it means: ok, slow, stall, stop, rewind."
  ),
  Command.withShortDescription("Show how far consumer groups are behind"),
  Command.withExamples([
    { command: "weft lag", description: "All groups, the worst first" },
    { command: "weft lag georegion-detector --watch", description: "A service, as it goes on" },
    { command: "weft lag loom-georegion --topic location.address.geocoded --partitions" }
  ])
)
