/**
 * Watches consumer groups by the admin API alone, whoever's they are: how far behind they are, for how long, and what that
 * means. Joins no group, reads no record, commits nothing.
 *
 * @since 0.1.0
 */
import { Admin } from "@weft/kafka/Admin"
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as OffsetTimes from "@weft/kafka/OffsetTimes"
import { keyOf, make as topicPartition, type TopicPartition } from "@weft/kafka/TopicPartition"
import type { GroupDescription } from "@weft/kafka/Transport"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as BufferedSink from "./internal/bufferedSink.ts"
import type { PartitionLag } from "./LagMonitor.ts"
import * as LagStatus from "./LagStatus.ts"
import * as LagWindow from "./LagWindow.ts"
import { MetricsSink } from "./MetricsSink.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Which groups are watched. New ones are found at the next look. Default all. */
  readonly groups?: ((group: string) => boolean) | undefined
  /** Which topics. Default all that a group has committed offsets for. */
  readonly topics?: ((topic: string) => boolean) | undefined
  /**
   * Also looks at partitions that a group has committed nothing for: of the topics that it has committed something for, and
   * of these, which must exist. Default not at all.
   */
  readonly uncommitted?: { readonly topics: ReadonlyArray<string> } | undefined
  /** The service that a group's samples are written for. Default the group itself. */
  readonly serviceOf?: ((group: string) => string) | undefined
  /** Samples that give a status its meaning. Default 10. */
  readonly samples?: number | undefined
  /** A lag up to this is `ok`. Default 0. */
  readonly allowedLag?: bigint | undefined
}

/**
 * A partition that a group has committed nothing for. Where it would begin to read, only its members know.
 *
 * @category models
 * @since 0.1.0
 */
export interface Uncommitted {
  readonly topic: string
  readonly partition: number
  readonly beginning: bigint
  readonly end: bigint
}

/**
 * A group at one moment.
 *
 * @category models
 * @since 0.1.0
 */
export interface GroupLag {
  readonly group: string
  readonly service: string
  /**
   * Kafka's own word, such as `Stable` or `Empty`, and the number of members. `undefined` where the group may not be
   * described, or is of the newer protocol (KIP-848), of which older requests are told nothing.
   */
  readonly state: string | undefined
  readonly members: number | undefined
  /** Looks at it one after the other, this one included: a status needs three, a speed two. */
  readonly looks: number
  /** The worst of its partitions. */
  readonly status: LagStatus.LagStatus
  /** The sum of its partitions. */
  readonly lag: bigint
  /** The largest of its partitions. */
  readonly lagSeconds: number
  /** Until the last partition is drained; `undefined` where one never will be. */
  readonly secondsToDrain: number | undefined
  /** Those with a committed offset, in order. */
  readonly partitions: ReadonlyArray<PartitionLag>
  /** Partitions that cannot be looked at now: they have no leader. */
  readonly leaderless: ReadonlyArray<TopicPartition>
  /** Only where they were asked for, in order. */
  readonly uncommitted: ReadonlyArray<Uncommitted>
}

/**
 * What one look at all groups found.
 *
 * @category models
 * @since 0.1.0
 */
export interface Look {
  /** Milliseconds since 1970. */
  readonly at: number
  /** By name. */
  readonly groups: ReadonlyArray<GroupLag>
  /** Groups that could not be looked at this time, and why. */
  readonly failed: ReadonlyArray<{ readonly group: string; readonly error: KafkaError }>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface GroupMonitor {
  /**
   * Looks at all groups. Costs, whatever the number of partitions, a request to each broker for the ends of logs, two for
   * each group and a few for metadata; and for partitions that are behind at their first look, about ten look-ups by time.
   * The lag in records is as Kafka's own tool counts it: up to the end from the committed offset, also where records in
   * between were deleted, so that a group that missed them is not taken for one that has read them. Fails where Kafka is away as a whole; what was learned before is kept.
   */
  readonly look: Effect.Effect<Look, KafkaError, Admin>
}

const groupsAtOnce = 8

/** No topic is asked for but those that were just listed: one that is deleted in between is not Kafka's failure. */
const whileTopicsGo = {
  while: ({ _tag }: KafkaError) => _tag === "UnknownTopicError",
  times: 20,
  schedule: Schedule.spaced("50 millis")
}

/** What a group's own samples are of. */
interface Seen {
  readonly group: string
  readonly committed: ReadonlyArray<{ readonly place: TopicPartition; readonly offset: bigint }>
  readonly description: GroupDescription | undefined
}

/** What is remembered of a partition of a group. */
interface Watched {
  readonly window: LagWindow.LagWindow
  /** The lowest offset whose age was asked for: what cannot be told once is not asked for at every look. */
  asked: bigint | undefined
}

interface WatchedGroup {
  readonly looks: number
  readonly partitions: ReadonlyMap<string, Watched>
}

/** Kafka lists other kinds of groups, too; one without members is of no kind. */
const isConsumers = (protocolType: string): boolean => protocolType === "consumer" || protocolType === ""

/** Who reads a partition, as far as the coordinator says. */
const readerOf = (description: GroupDescription | undefined): (key: string) => LagStatus.Reader => {
  if (description === undefined) return () => ({ _tag: "Unknown" })
  const held = new Set(description.members.flatMap(({ assignment }) => assignment.map(({ key }) => key)))
  const isSettled = description.state === "Stable" || description.state === "Empty"
  return (key) => held.has(key) ? { _tag: "Member" } : { _tag: isSettled ? "Nobody" : "Unknown" }
}

/** A partition, and whether it has a leader. */
interface Place {
  readonly place: TopicPartition
  readonly isLed: boolean
}

/** Which partitions there are. */
const partitionsOf = Effect.fnUntraced(function*(topics: ReadonlySet<string>) {
  const admin = yield* Admin
  // Offsets outlive the topics that they were committed for.
  const existing = (yield* admin.listTopics).filter((topic) => topics.has(topic))
  const places = new Map<string, Place>()
  for (const { name, partitions } of yield* admin.describeTopics(existing)) {
    for (const { leader, partition } of partitions) {
      const place = topicPartition(name, partition)
      places.set(place.key, { place, isLed: leader >= 0 })
    }
  }
  return places
})

/** The partitions that a group has committed nothing for, of its topics and of others. */
const without = (
  places: ReadonlyMap<string, Place>,
  { committed }: Seen,
  others: { readonly topics: ReadonlyArray<string> }
): ReadonlyArray<Place> => {
  const topics = new Set([...committed.map(({ place }) => place.topic), ...others.topics])
  const known = new Set(committed.map(({ place }) => place.key))
  return [...places.values()].filter(({ isLed, place }) => isLed && topics.has(place.topic) && !known.has(place.key))
}

/** Each partition once, however many groups read it. */
const distinct = (all: ReadonlyArray<{ readonly place: TopicPartition }>): ReadonlyArray<TopicPartition> => [
  ...new Map(all.map(({ place }) => [place.key, place])).values()
]

const offsetsOf = Effect.fnUntraced(function*(partitions: ReadonlyArray<TopicPartition>, at: "earliest" | "latest") {
  const admin = yield* Admin
  const found = yield* admin.listOffsets(partitions, at)
  return new Map(found.map(({ offset, partition, topic }) => [keyOf(topic, partition), offset]))
})

/**
 * A monitor that has not looked yet. What it remembers, under 2 KB for each partition of a group, is forgotten with the
 * group, the topic, or the partition's committed offset.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): GroupMonitor => {
  const {
    allowedLag = 0n,
    groups: isWatched = () => true,
    samples = LagWindow.defaultSamples,
    serviceOf = (group) => group,
    uncommitted,
    topics: isCounted = () => true
  } = options
  const rules: LagStatus.Rules = { allowedLag, stallSamples: samples }
  let watched: ReadonlyMap<string, WatchedGroup> = new Map()

  const seen = Effect.fnUntraced(function*(
    group: string,
    description: GroupDescription | undefined
  ): Effect.fn.Return<Seen, KafkaError, Admin> {
    const admin = yield* Admin
    const committed = (yield* admin.committedOffsets(group)).flatMap(({ offset, partition, topic }) =>
      offset === undefined || !isCounted(topic) ? [] : [{ place: topicPartition(topic, partition), offset }]
    )
    return { group, committed, description }
  })

  const describe = Effect.fnUntraced(function*(groups: ReadonlyArray<string>) {
    const admin = yield* Admin
    // Without the right to describe a group its lag is known all the same.
    const described = yield* Effect.orElseSucceed(admin.describeGroups(groups), () => [])
    // A transport that has no way to ask about groups of the newer protocol takes them for dead, whoever is in them.
    return new Map(described.flatMap((one) => one.state === "Dead" ? [] : [[one.groupId, one]]))
  })

  /** How old a lag is that was there before the first look. */
  const learn = Effect.fnUntraced(function*(unknown: ReadonlyArray<readonly [TopicPartition, Watched]>) {
    const beginnings = yield* offsetsOf(distinct(unknown.map(([place]) => ({ place }))), "earliest")
    const places = unknown.map(([{ key, partition, topic }, { window }]) => {
      const { offset } = window.last!
      const beginning = beginnings.get(key)!
      // Of what was deleted nobody knows the time: the oldest that is left stands for it.
      return { topic, partition, offset: offset < beginning ? beginning : offset }
    })
    const times = yield* OffsetTimes.writtenAt(places, yield* Clock.currentTimeMillis)
    times.forEach(({ writtenAt }, i) => {
      const [, known] = unknown[i]!
      const { offset } = known.window.last!
      known.asked = offset
      if (writtenAt !== undefined) known.window.learn(offset, writtenAt)
    })
  })

  const look = Effect.gen(function*() {
    const admin = yield* Admin
    const listed = (yield* admin.listGroups)
      .filter(({ groupId, protocolType }) => isConsumers(protocolType) && isWatched(groupId))
      .map(({ groupId }) => groupId)
      .sort()
    const descriptions = yield* describe(listed)
    const asked = yield* Effect.forEach(
      listed,
      (group) => Effect.map(Effect.result(seen(group, descriptions.get(group))), (result) => ({ group, result })),
      { concurrency: groupsAtOnce }
    )
    const found = asked.flatMap(({ result }) => Result.isSuccess(result) ? [result.success] : [])
    const failed = asked.flatMap(({ group, result }) =>
      Result.isFailure(result) ? [{ group, error: result.failure }] : []
    )
    if (found.length === 0 && failed.length > 0) return yield* failed[0]!.error

    const all = found.flatMap(({ committed }) => committed)
    const places = yield* partitionsOf(
      new Set([...all.map(({ place }) => place.topic), ...uncommitted?.topics ?? []])
    )
    const isLed = ({ place }: { readonly place: TopicPartition }) => places.get(place.key)?.isLed === true
    const rest = new Map(
      found.map((one) => [one.group, uncommitted === undefined ? [] : without(places, one, uncommitted)])
    )
    const beside = [...rest.values()].flat()
    const led = all.filter(isLed)
    // After the committed offsets, so that no end is before them.
    const ends = yield* offsetsOf(distinct([...led, ...beside]), "latest")
    const at = yield* Clock.currentTimeMillis
    const beginnings = yield* offsetsOf(distinct(beside), "earliest")

    const unknown: Array<readonly [TopicPartition, Watched]> = []
    const looked = found.map(({ committed, description, group }) => {
      const before = watched.get(group)
      const partitions = new Map<string, Watched>()
      const readerAt = readerOf(description)
      const here = committed.flatMap(({ offset, place }) => {
        const { key } = place
        const end = ends.get(key)
        if (end === undefined) return []
        const known = before?.partitions.get(key) ?? { window: new LagWindow.LagWindow(samples), asked: undefined }
        partitions.set(key, known)
        const { asked, window } = known
        window.push({ at, offset, end })
        if (window.isOlderThanSeen && (asked === undefined || offset < asked)) {
          unknown.push([place, known])
        }
        return [{ place, window, reader: readerAt(key) }]
      })
      const leaderless = committed.flatMap(({ place }) => places.get(place.key)?.isLed === false ? [place] : [])
      return { group, description, here, leaderless, now: { looks: (before?.looks ?? 0) + 1, partitions } }
    })
    // Of a group that could not be looked at this time nothing is forgotten.
    watched = new Map([
      ...failed.flatMap(({ group }) => watched.has(group) ? [[group, watched.get(group)!] as const] : []),
      ...looked.map(({ group, now }) => [group, now] as const)
    ])
    // The lag in records is known; that its age is not must not hide it.
    if (unknown.length > 0) yield* Effect.ignore(learn(unknown))

    const groups = looked.map(({ description, group, here, leaderless, now }): GroupLag => {
      const service = serviceOf(group)
      const partitions = here
        .map(({ place, reader, window }) => partitionLag({ at, group, service, place, reader, window, rules }))
        .sort((a, b) => byPlace(a.sample, b.sample))
      return {
        ...summary(partitions),
        ...stateOf(description),
        group,
        service,
        looks: now.looks,
        partitions,
        leaderless,
        uncommitted: rest.get(group)!.map(({ place }): Uncommitted => ({
          topic: place.topic,
          partition: place.partition,
          beginning: beginnings.get(place.key)!,
          end: ends.get(place.key)!
        })).sort(byPlace)
      }
    })
    return { at, groups, failed } satisfies Look
  })

  return { look: Effect.retry(look, whileTopicsGo) }
}

const byPlace = (a: Pick<Uncommitted, "topic" | "partition">, b: Pick<Uncommitted, "topic" | "partition">): number =>
  a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1

const stateOf = (description: GroupDescription | undefined) => ({
  state: description?.state,
  members: description?.members.length
})

const partitionLag = ({ at, group, place, reader, rules, service, window }: {
  readonly at: number
  readonly group: string
  readonly service: string
  readonly place: TopicPartition
  readonly reader: LagStatus.Reader
  readonly window: LagWindow.LagWindow
  readonly rules: LagStatus.Rules
}): PartitionLag => {
  const points = window.points()
  const { end, offset } = window.last!
  const lag = LagStatus.lagOf({ offset, end })
  const rates = LagWindow.rates(points)
  const status = LagStatus.classify(points, reader, rules)
  return {
    status,
    rates,
    secondsToDrain: LagWindow.secondsToDrain(lag, rates),
    sample: {
      service,
      group,
      member: "",
      topic: place.topic,
      partition: place.partition,
      lag,
      consumerOffset: offset,
      endOffset: end,
      lagSeconds: LagWindow.ageSeconds(window, { now: at }),
      status,
      timestamp: at
    }
  }
}

/**
 * What several partitions come to: the sum of records, the largest age, the longest time to drain, the worst status.
 *
 * @category combinators
 * @since 0.1.0
 */
export const summary = (partitions: ReadonlyArray<PartitionLag>) => ({
  status: LagStatus.worst(partitions.map(({ status }) => status)),
  lag: partitions.reduce((sum, { sample }) => sum + sample.lag, 0n),
  lagSeconds: partitions.reduce((most, { sample }) => Math.max(most, sample.lagSeconds), 0),
  secondsToDrain: partitions.reduce<number | undefined>(
    (most, { secondsToDrain }) =>
      most === undefined || secondsToDrain === undefined ? undefined : Math.max(most, secondsToDrain),
    0
  )
})

/** Samples that wait while the sink is away: ten looks at 10,000 partitions. */
const bufferMax = 100_000

const lookTimeout = Duration.minutes(1)

const late = new Cause.TimeoutError(`Kafka did not answer within ${Duration.format(lookTimeout)}`)

/**
 * Looks again and again, on a clock of its own, and hands the samples to the `MetricsSink`, in the background: a sink that
 * is away costs a bounded buffer, and a Kafka that is away a look. Both go on when they are back. `tell` is told of each
 * look, or why there was none. Interrupted, it writes what waits, as far as the sink takes it within five seconds.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <R = never>(monitor: GroupMonitor, options: {
  /** From the begin of one look to that of the next. */
  readonly interval: Duration.Input
  readonly tell?:
    | ((look: Result.Result<Look, KafkaError | Cause.TimeoutError>) => Effect.Effect<void, never, R>)
    | undefined
}): Effect.Effect<never, never, Admin | MetricsSink | R> =>
  Effect.gen(function*() {
    const sink = yield* BufferedSink.make(yield* MetricsSink, { max: bufferMax })
    yield* Effect.addFinalizer(() => sink.flush)
    const once = Effect.gen(function*() {
      const look = yield* monitor.look.pipe(
        Effect.timeoutOrElse({ duration: lookTimeout, orElse: () => Effect.fail(late) }),
        Effect.result
      )
      if (Result.isSuccess(look)) {
        const lag = look.success.groups.flatMap(({ partitions }) => partitions.map(({ sample }) => sample))
        sink.offer({ metrics: [], members: [], lag })
      }
      yield* options.tell?.(look) ?? Effect.void
    })
    yield* Effect.repeat(once, Schedule.fixed(options.interval))
    return yield* Effect.never
  }).pipe(Effect.scoped)
