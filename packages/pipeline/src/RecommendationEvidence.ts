/**
 * What a window of measurements of all members of a service says, in the figures that recommendations judge by. Pure.
 *
 * @since 0.1.0
 */
import { keyOf } from "@weft/kafka/TopicPartition"
import * as Histogram from "./Histogram.ts"
import type { LagSample, Measurements, MemberMetrics, ProcessingMetrics } from "./MetricsSink.ts"

/**
 * The load of one interval: how many records a second, how long each took, and, by Little's law, how many were at work.
 *
 * @category models
 * @since 0.1.0
 */
export interface LoadPoint {
  readonly records: number
  readonly recordsPerSecond: number
  readonly meanMs: number
  /** Records at work at the same time, on average. */
  readonly atWork: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface LagEvidence {
  /** Over all partitions, as last sampled. */
  readonly records: number
  /** Of the partition that is furthest behind, as last sampled. */
  readonly seconds: number
  /** Records a second by which it grew over the window; negative where it fell. */
  readonly growthPerSecond: number
  /** It grew over the window, and over the second half of it. */
  readonly isGrowing: boolean
  /** How much of it one partition has, from 0 to 1; 0 without lag. */
  readonly largestPartitionShare: number
}

/**
 * The figures of a service over a window. Counts are sums over members and intervals, `...Max` the largest of one member in
 * one interval.
 *
 * @category models
 * @since 0.1.0
 */
export interface Evidence {
  readonly service: string
  /** The window, in milliseconds since 1970. */
  readonly from: number
  readonly to: number
  readonly seconds: number
  /** How many intervals the window holds. */
  readonly intervals: number
  /** Members that measured themselves in the last interval, and those of them that hold no partition. */
  readonly members: number
  readonly idleMembers: number
  /** Partitions that were sampled in the last interval. */
  readonly partitions: number
  readonly records: number
  readonly recordsPerSecond: number
  /** 0 without records. */
  readonly bytesPerRecord: number
  /** From the begin of a record's first attempt to its settling; a record of a batch takes as long as its batch. */
  readonly meanMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly batches: number
  readonly recordsPerBatch: number
  /** From 0 to 1. */
  readonly fullBatchShare: number
  readonly retries: number
  readonly failures: number
  readonly deadLetters: number
  /** The largest part that one partition has of the records of its topic, from 0 to 1, and how many partitions that has. */
  readonly busiestPartitionShare: number
  readonly busiestTopicPartitions: number
  /** The same for a key; `undefined` where keys are not looked at. */
  readonly busiestKeyShare: number | undefined
  readonly lag: LagEvidence
  readonly rebalances: number
  readonly lost: number
  readonly crashes: number
  readonly stalls: number
  readonly lateCompletions: number
  readonly commitFailures: number
  readonly commitP99MsMax: number
  readonly memoryMbMax: number
  readonly queuedRecordsMax: number
  readonly queuedBytesMax: number
  readonly inFlightMax: number
  readonly oldestInFlightMsMax: number
  readonly uncommittedRecordsMax: number
  readonly pausedPartitions: number
  readonly eventLoopDelayMsMax: number
  /** The longest pauses of half of all intervals were longer: one long pause says nothing of how handlers work. */
  readonly eventLoopDelayMsMedian: number
  /** One for each interval in which records were settled, oldest first. */
  readonly load: ReadonlyArray<LoadPoint>
}

const sum = <A>(all: ReadonlyArray<A>, of: (one: A) => number): number => all.reduce((total, one) => total + of(one), 0)

const most = <A>(all: ReadonlyArray<A>, of: (one: A) => number): number =>
  all.reduce((largest, one) => Math.max(largest, of(one)), 0)

const median = <A>(all: ReadonlyArray<A>, of: (one: A) => number): number =>
  all.map(of).toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0

const ratio = (part: number, whole: number): number => whole > 0 ? part / whole : 0

/** How many intervals before the last one a measurement is of. */
const ageOf = (to: number, intervalMs: number) => ({ timestamp }: { readonly timestamp: number }): number =>
  Math.floor((to - timestamp) / intervalMs)

const loadOf = (metrics: ReadonlyArray<ProcessingMetrics>, intervalMs: number): LoadPoint => {
  const records = sum(metrics, (one) => one.messagesProcessed)
  const workMs = sum(metrics, (one) => one.messagesProcessed * one.processingTimeMs)
  return {
    records,
    recordsPerSecond: records * 1_000 / intervalMs,
    meanMs: ratio(workMs, records),
    atWork: workMs / intervalMs
  }
}

const beginOf = ({ intervalMs, timestamp }: MemberMetrics): number => timestamp - intervalMs

/**
 * The first and the last measurement of each member of the window. A process that joins its group again is another member
 * from then on, but its measurements follow each other: one begins where the other ended.
 */
const endsOf = (members: ReadonlyArray<MemberMetrics>) => {
  const begins = new Set(members.map((one) => Math.round(beginOf(one))))
  const ends = new Set(members.map(({ timestamp }) => Math.round(timestamp)))
  const meets = (times: ReadonlySet<number>, at: number) =>
    [-1, 0, 1].some((difference) => times.has(Math.round(at) + difference))
  const earliestEnd = members.reduce((earliest, { timestamp }) => Math.min(earliest, timestamp), Infinity)
  const latest = members.reduce((last, one) => one.timestamp > last.timestamp ? one : last)
  return {
    first: members.filter((one) => beginOf(one) < earliestEnd && !meets(ends, beginOf(one))),
    last: members.filter((one) => one.timestamp > beginOf(latest) && !meets(begins, one.timestamp))
  }
}

/**
 * Bytes are counted when records are taken in, records when they are settled: what is in flight at the end was taken in as
 * well, save what was in flight at the begin, which the first measurement of each member tells. Where hardly any were taken
 * in after that, the queues tell it (a little too high, as a batch that was taken in part counts as a whole), or else the
 * first measurements count, too, as if nothing had been in flight before.
 */
const bytesPerRecordOf = (
  metrics: ReadonlyArray<ProcessingMetrics>,
  members: ReadonlyArray<MemberMetrics>,
  { first, last }: ReturnType<typeof endsOf>
): number => {
  const inFlight = (all: ReadonlyArray<MemberMetrics>) => sum(all, (one) => one.inFlight)
  const takenIn = (counted: ReadonlyArray<ProcessingMetrics>, before: number) => ({
    bytes: sum(counted, ({ bytes }) => bytes),
    records: sum(counted, (one) => one.messagesProcessed) + inFlight(last) - before
  })
  const isFirst = ({ member, timestamp }: ProcessingMetrics) =>
    first.some((one) => one.member === member && one.timestamp === timestamp)
  const later = takenIn(metrics.filter((one) => !isFirst(one)), inFlight(first))
  const queued = { bytes: sum(members, (one) => one.queuedBytes), records: sum(members, (one) => one.queuedRecords) }
  const { bytes, records } = [later, queued].find((counted) => counted.records >= few) ?? takenIn(metrics, 0)
  return ratio(bytes, records)
}

/** Of fewer records no size is known. */
const few = 20

/** Of several topics, the one whose records are least even. */
const skewOf = (
  intervals: ReadonlyArray<ReadonlyArray<ProcessingMetrics>>,
  lag: ReadonlyArray<LagSample>
): Pick<Evidence, "busiestPartitionShare" | "busiestTopicPartitions" | "busiestKeyShare"> => {
  const partitionsOf = (topic: string) =>
    new Set(lag.filter((sample) => sample.topic === topic).map((sample) => sample.partition)).size
  const ofTopics = [...Map.groupBy(intervals.flat(), ({ topic }) => topic)].map(([topic, all]) => {
    const here = intervals.map((interval) => interval.filter((one) => one.topic === topic))
    const records = sum(all, (one) => one.messagesProcessed)
    const isKeyed = all.some((one) => one.busiestKeyRecords !== undefined)
    return {
      // Each member has a busiest partition; the busiest of the topic is one of them.
      busiestPartitionShare: ratio(sum(here, (one) => most(one, (it) => it.busiestPartitionRecords)), records),
      busiestTopicPartitions: partitionsOf(topic),
      busiestKeyShare: isKeyed
        ? ratio(sum(here, (one) => most(one, (it) => it.busiestKeyRecords ?? 0)), records)
        : undefined,
      records
    }
  })
  const busiest = ofTopics.filter(({ records }) => records > 0)
    .toSorted((a, b) =>
      b.busiestPartitionShare * b.busiestTopicPartitions - a.busiestPartitionShare * a.busiestTopicPartitions
    )[0]
  return {
    busiestPartitionShare: busiest?.busiestPartitionShare ?? 0,
    busiestTopicPartitions: busiest?.busiestTopicPartitions ?? 0,
    busiestKeyShare: busiest?.busiestKeyShare
  }
}

const lagOf = (samples: ReadonlyArray<LagSample>): LagEvidence => {
  const partitions = [...Map.groupBy(samples, ({ partition, topic }) => keyOf(topic, partition)).values()]
    .map((window) => window.toSorted((a, b) => a.timestamp - b.timestamp))
  const growth = (from: LagSample, to: LagSample): number =>
    to.timestamp > from.timestamp ? Number(to.lag - from.lag) * 1_000 / (to.timestamp - from.timestamp) : 0
  const last = partitions.map((window) => window.at(-1)!)
  const records = sum(last, ({ lag }) => Number(lag))
  const growthPerSecond = sum(partitions, (window) => growth(window[0]!, window.at(-1)!))
  const laterGrowth = sum(
    partitions,
    (window) => growth(window[Math.floor((window.length - 1) / 2)]!, window.at(-1)!)
  )
  return {
    records,
    seconds: most(last, ({ lagSeconds }) => lagSeconds),
    growthPerSecond,
    isGrowing: growthPerSecond > 0 && laterGrowth > 0,
    largestPartitionShare: ratio(most(last, ({ lag }) => Number(lag)), records)
  }
}

/**
 * The part of an interval that may be of another configuration: a member measures from its very start, and tells what it
 * runs with a moment later.
 */
const tolerated = 0.2

/**
 * The evidence of a window of measurements of a service, or `undefined` where no member measured itself in it. Only
 * intervals that lie after `since`, save a fifth of them, count: with the time at which the configuration was applied last, nothing of what another
 * configuration did is held against it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  service: string,
  measurements: Measurements,
  options: { readonly since?: number | undefined } = {}
): Evidence | undefined => {
  const since = options.since ?? -Infinity
  const isOurs = (one: { readonly service: string; readonly timestamp: number; readonly intervalMs: number }) =>
    one.service === service && one.timestamp - one.intervalMs >= since - one.intervalMs * tolerated
  const members: ReadonlyArray<MemberMetrics> = measurements.members.filter(isOurs)
  if (members.length === 0) return undefined
  const metrics = measurements.metrics.filter(isOurs)
  const lag = measurements.lag.filter((one) => one.service === service && one.timestamp >= since)

  const to = most(members, ({ timestamp }) => timestamp)
  const from = to - most(members, ({ intervalMs, timestamp }) => to - timestamp + intervalMs)
  // A member that stops measures an interval that is shorter than the others.
  const intervalMs = median(members, (one) => one.intervalMs)
  const age = ageOf(to, intervalMs)
  const ends = endsOf(members)
  const present = ends.last
  const intervals = [...Map.groupBy(metrics, age)].toSorted(([a], [b]) => b - a).map(([, interval]) => interval)

  const records = sum(metrics, (one) => one.messagesProcessed)
  const batches = sum(metrics, (one) => one.batches)
  const durations = Histogram.merge(metrics.map((one) => one.durations))
  return {
    service,
    from,
    to,
    seconds: (to - from) / 1_000,
    intervals: Math.round((to - from) / intervalMs),
    members: present.length,
    idleMembers: present.filter(({ partitions }) => partitions === 0).length,
    partitions: sum(present, ({ partitions }) => partitions),
    records,
    recordsPerSecond: ratio(records * 1_000, to - from),
    bytesPerRecord: bytesPerRecordOf(metrics, members, ends),
    meanMs: ratio(sum(metrics, (one) => one.messagesProcessed * one.processingTimeMs), records),
    p50Ms: Histogram.quantile(durations, 0.5),
    p99Ms: Histogram.quantile(durations, 0.99),
    batches,
    recordsPerBatch: ratio(records, batches),
    fullBatchShare: ratio(sum(metrics, (one) => one.fullBatches), batches),
    retries: sum(metrics, (one) => one.retries),
    failures: sum(metrics, (one) => one.failures),
    deadLetters: sum(metrics, (one) => one.deadLetters),
    ...skewOf(intervals, lag),
    lag: lagOf(lag),
    rebalances: sum(members, (one) => one.rebalances),
    lost: sum(members, (one) => one.lost),
    crashes: sum(members, (one) => one.crashes),
    stalls: sum(members, (one) => one.stalls),
    lateCompletions: sum(members, (one) => one.lateCompletions),
    commitFailures: sum(members, (one) => one.commitFailures),
    commitP99MsMax: most(members, (one) => one.commitP99Ms),
    memoryMbMax: most(members, (one) => one.memoryUsageMb),
    queuedRecordsMax: most(members, (one) => one.queuedRecords),
    queuedBytesMax: most(members, (one) => one.queuedBytes),
    inFlightMax: most(members, (one) => one.inFlight),
    oldestInFlightMsMax: most(members, (one) => one.oldestInFlightMs),
    uncommittedRecordsMax: most(members, (one) => one.uncommittedRecords),
    pausedPartitions: sum(present, (one) => one.pausedPartitions),
    eventLoopDelayMsMax: most(members, (one) => one.eventLoopDelayMs),
    eventLoopDelayMsMedian: median(members, (one) => one.eventLoopDelayMs),
    load: intervals.map((interval) => loadOf(interval, intervalMs)).filter((point) => point.records > 0)
  }
}
