/**
 * The rules that recommendations come from, as data: what each needs to judge, when it fires, and what it advises. Pure.
 *
 * The order of {@link rules} is the order of precedence: where two rules want the same setting, the earlier one has it. A
 * member that stays in its group comes first, then its memory, then what fails, then what is repeated after a crash, and
 * throughput after all of them; tidiness last.
 *
 * @since 0.1.0
 */
import type { ConsumerConfig } from "@weft/config/ConsumerConfig"
import type * as Setting from "@weft/config/Setting"
import type * as WorkloadProfile from "@weft/config/WorkloadProfile"
import type { Evidence, LoadPoint } from "./RecommendationEvidence.ts"

/**
 * @category models
 * @since 0.1.0
 */
export type Priority = "high" | "medium" | "low"

/**
 * Figures by name, with the unit in it.
 *
 * @category models
 * @since 0.1.0
 */
export type Figures = { readonly [name: string]: number }

/**
 * What a rule must have seen before it may judge: that nothing is wrong, too.
 *
 * @category models
 * @since 0.1.0
 */
export interface Needs {
  readonly intervals: number
  readonly records: number
}

/**
 * What to do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Advice {
  readonly priority: Priority
  /** What is wrong, in a sentence with the figures. */
  readonly reason: string
  /** Wishes: they are brought within bounds, and what cannot be is left out. */
  readonly settings: WorkloadProfile.Values
  /** What no setting can do: for a person. */
  readonly action?: string | undefined
  readonly effect: string
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Rule {
  /** As in the column `rule` of `consumer_recommendations`, and the heading of its section in the handbook. */
  readonly name: string
  readonly needs: Needs
  /** How sure the cause is where the symptom is seen, from 0 to 1. */
  readonly certainty: number
  /** The settings that it judges: they are told as the current configuration. */
  readonly judges: ReadonlyArray<Setting.SettingKey>
  /** Rules that know the cause better: where one of them fires, this one is silent. */
  readonly yieldsTo?: ReadonlyArray<string>
  readonly fires: (seen: Evidence, config: ConsumerConfig) => Figures | undefined
  readonly advice: (seen: Evidence, config: ConsumerConfig) => Advice
}

// Words

const second = 1_000
const minute = 60 * second
const mebibyte = 1_048_576

/** Two significant digits: a setting is a round number. */
const roundUp = (value: number): number => {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1)
  return Math.ceil(value / unit) * unit
}

const rounded = (value: number): number => Number(value.toPrecision(3))

const time = (ms: number): string =>
  ms < second ? `${rounded(ms)} ms` : ms < 2 * minute ? `${rounded(ms / second)} s` : `${rounded(ms / minute)} min`

const size = (bytes: number): string =>
  bytes < mebibyte ? `${rounded(bytes / 1_024)} KiB` : `${rounded(bytes / mebibyte)} MiB`

const percent = (share: number): string => `${rounded(share * 100)}%`

const powerOfTwo = (value: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, value)))

// What is known of how a service works

const defaultWorkers = 16

/** How many workers all members have together. */
const workersOf = (seen: Evidence, { concurrency, processingOrder }: ConsumerConfig): number =>
  Math.max(
    1,
    concurrency > 0
      ? concurrency * seen.members
      : processingOrder === "partition"
      ? seen.partitions
      : defaultWorkers * seen.members
  )

const atWork = (seen: Evidence): number => seen.recordsPerSecond * seen.meanMs / second

/**
 * More records at work than there are workers: they are handled in batches, whose records all take as long as their batch.
 * Records that wait for a retry are at work without a worker, so that nothing is known while many are retried.
 */
const isBatched = (seen: Evidence, config: ConsumerConfig): boolean =>
  seen.retries < seen.records / 10 && atWork(seen) > 1.2 * workersOf(seen, config) && seen.recordsPerBatch > 1

/** The part of the workers that is busy, from 0 to 1. */
const busyShare = (seen: Evidence, config: ConsumerConfig): number =>
  Math.min(1, atWork(seen) / (isBatched(seen, config) ? seen.recordsPerBatch : 1) / workersOf(seen, config))

/** One thing after the other keeps the event loop for so long that handlers compute rather than wait. */
const isComputing = (seen: Evidence): boolean => seen.eventLoopDelayMsMedian >= 200

/** The longest that anything took: what is at work now, or was settled. */
const longestMs = (seen: Evidence): number => Math.max(seen.p99Ms, seen.oldestInFlightMsMax)

/** Without progress for longer than the members' queues last. */
const isBehind = ({ lag, recordsPerSecond }: Evidence): boolean =>
  lag.records >= 1_000 || lag.records > 0 && lag.records >= 10 * recordsPerSecond

const lagIsGrowing = (seen: Evidence): boolean =>
  seen.lag.isGrowing && isBehind(seen) && seen.lag.growthPerSecond >= seen.recordsPerSecond / 20

/** Bytes that a member holds: those that wait, and those of the records that are at work. */
const heldBytes = (seen: Evidence): number => seen.queuedBytesMax + seen.inFlightMax * seen.bytesPerRecord

/** How long so many records of a member last, in seconds. */
const secondsOf = (seen: Evidence, records: number): number =>
  records / Math.max(0.1, seen.recordsPerSecond / Math.max(1, seen.members))

const queuedSeconds = (seen: Evidence): number => secondsOf(seen, seen.queuedRecordsMax)

const heldSeconds = (seen: Evidence): number => secondsOf(seen, seen.queuedRecordsMax + seen.inFlightMax)

/** What a broker should collect so that batches are about five times as large; a mebibyte at most. */
const collectedBytes = (seen: Evidence, { fetchMinBytes }: ConsumerConfig): number =>
  Math.min(mebibyte, Math.max(2 * fetchMinBytes, powerOfTwo(seen.bytesPerRecord * seen.recordsPerBatch * 5)))

const recordsOf = (points: ReadonlyArray<LoadPoint>): number =>
  points.reduce((total, { records }) => total + records, 0)

const mean = (points: ReadonlyArray<LoadPoint>, of: (point: LoadPoint) => number): number =>
  points.reduce((total, point) => total + of(point) * point.records, 0) / recordsOf(points)

/**
 * How throughput and latency answered to more records at work: the quiet intervals beside the busy ones. A resource that is
 * exhausted gives no more throughput, and all that is added waits: the elasticity is near 0. Where there is room, it is
 * near 1.
 */
const scaling = ({ load }: Evidence) => {
  const peak = load.reduce((largest, point) => Math.max(largest, point.atWork), 0)
  const quiet = load.filter((point) => point.atWork > 0 && point.atWork <= peak / 2)
  const busy = load.filter((point) => point.atWork > peak * 0.75)
  if (recordsOf(quiet) < 20 || recordsOf(busy) < 20) return undefined
  const [from, to] = [quiet, busy].map((points) => ({
    atWork: mean(points, (point) => point.atWork),
    meanMs: mean(points, (point) => point.meanMs),
    recordsPerSecond: mean(points, (point) => point.recordsPerSecond)
  })) as [LoadPoint, LoadPoint]
  return {
    from,
    to,
    elasticity: Math.log(to.recordsPerSecond / from.recordsPerSecond) / Math.log(to.atWork / from.atWork)
  }
}

// The rules

const sessionShorterThanPauses: Rule = {
  name: "session-shorter-than-pauses",
  needs: { intervals: 1, records: 0 },
  certainty: 0.95,
  judges: ["sessionTimeoutMs", "heartbeatIntervalMs", "maxPollIntervalMs"],
  // In KIP-848's protocol neither is ours: the broker says how long a session lasts.
  fires: (seen, { groupProtocol, heartbeatIntervalMs, sessionTimeoutMs }) =>
    groupProtocol === "classic" &&
      seen.eventLoopDelayMsMax + heartbeatIntervalMs > sessionTimeoutMs * 0.75 && seen.eventLoopDelayMsMax > second
      ? {
        event_loop_pause_ms: seen.eventLoopDelayMsMax,
        session_timeout_ms: sessionTimeoutMs,
        lost_partitions: seen.lost
      }
      : undefined,
  advice: (seen, { heartbeatIntervalMs, maxPollIntervalMs, sessionTimeoutMs }) => {
    const session = roundUp(Math.max(1.5 * sessionTimeoutMs, 3 * (seen.eventLoopDelayMsMax + heartbeatIntervalMs)))
    return {
      priority: "high",
      reason: `the event loop stood still for ${time(seen.eventLoopDelayMsMax)}, in which no heartbeat is sent; with `
        + `${time(heartbeatIntervalMs)} between heartbeats that is most of session_timeout_ms, ${
          time(sessionTimeoutMs)
        }`,
      settings: { sessionTimeoutMs: session, maxPollIntervalMs: Math.max(maxPollIntervalMs, session) },
      action: "move what computes for that long to a worker thread, or hand back to the event loop in between",
      effect: "a pause of that length no longer costs the member its partitions"
    }
  }
}

const frequentRebalancing: Rule = {
  name: "frequent-rebalancing",
  needs: { intervals: 1, records: 0 },
  certainty: 0.8,
  judges: ["sessionTimeoutMs", "maxPollIntervalMs"],
  fires: (seen) => {
    const perMember = seen.rebalances / Math.max(1, seen.members)
    // Once may happen to anybody; twice is a habit.
    const isLosing = seen.lost > 0 && seen.rebalances + seen.crashes >= 2 || seen.lost > Math.max(1, seen.partitions)
    return isLosing || perMember >= 4
      ? {
        rebalances: seen.rebalances,
        rebalances_per_member: rounded(perMember),
        lost_partitions: seen.lost,
        crashes: seen.crashes,
        late_completions: seen.lateCompletions,
        window_s: seen.seconds
      }
      : undefined
  },
  advice: (seen, { groupProtocol, heartbeatIntervalMs, maxPollIntervalMs, sessionTimeoutMs }) => {
    const session = roundUp(Math.max(2 * sessionTimeoutMs, 3 * (seen.eventLoopDelayMsMax + heartbeatIntervalMs)))
    const isCutOff = seen.lateCompletions > 0 || longestMs(seen) > maxPollIntervalMs / 2
    return {
      priority: "high",
      reason: `${seen.rebalances} rebalances in ${time(seen.seconds * second)}`
        + (seen.lost > 0 ? `, ${seen.lost} partitions lost without a chance to commit` : "")
        + (seen.crashes > 0 ? `, ${seen.crashes} crashes of the client` : ""),
      settings: {
        ...groupProtocol === "classic" && { sessionTimeoutMs: session },
        maxPollIntervalMs: Math.max(5 * session, isCutOff ? 2 * maxPollIntervalMs : maxPollIntervalMs)
      },
      action: seen.lost === 0
        ? "nobody was taken for dead: look for members that come and go (deployments, an autoscaler, restarts)"
        : groupProtocol === "consumer"
        ? `have the session made longer on the brokers: group.consumer.session.timeout.ms, such as ${session}`
        : undefined,
      effect: "members are not taken for dead while they live, and their drains are not cut off"
    }
  }
}

const timingOut: Rule = {
  name: "timing-out",
  needs: { intervals: 1, records: 0 },
  certainty: 0.9,
  judges: ["maxPollIntervalMs", "maxPollRecords"],
  fires: (seen) =>
    seen.stalls > 0
      ? { stalls: seen.stalls, longest_ms: longestMs(seen), p50_ms: seen.p50Ms, records: seen.records }
      : undefined,
  advice: (seen, config) => {
    const { maxPollIntervalMs, maxPollRecords } = config
    const longest = longestMs(seen)
    const reason = `${seen.stalls} times a partition made no progress for max_poll_interval_ms, `
      + `${time(maxPollIntervalMs)}; what took longest took ${time(longest)}`
    if (seen.records === 0) {
      return {
        priority: "high",
        reason: `${reason}, and no record was settled`,
        settings: {},
        action: "find out what the handler waits for, and give it a time limit: longer intervals would only hide it",
        effect: "the record fails and is retried, or becomes a dead letter, and its partition goes on"
      }
    }
    const isSharedByBatch = maxPollRecords > 1 && isBatched(seen, config)
    return isSharedByBatch && 2 * longest > 15 * minute
      ? {
        priority: "high",
        reason,
        settings: { maxPollRecords: Math.max(1, Math.floor(maxPollRecords * maxPollIntervalMs / (2 * longest))) },
        effect: "a batch is done within the interval, and a partition can be given up without cutting it off"
      }
      : {
        priority: "high",
        reason,
        settings: { maxPollIntervalMs: roundUp(Math.max(2 * longest, 1.5 * maxPollIntervalMs)) },
        effect: "slow records are not reported as stalled, and rebalances wait for them"
      }
  }
}

const highMemory: Rule = {
  name: "high-memory",
  needs: { intervals: 2, records: 1 },
  certainty: 0.85,
  judges: ["maxPollRecords", "maxPartitionFetchBytes", "queueMaxBytes", "bufferMaxBytes"],
  fires: (seen) => {
    const held = heldBytes(seen)
    const share = held / mebibyte / Math.max(1, seen.memoryMbMax)
    // What lasts for less than two seconds is needed.
    return held >= 64 * mebibyte && share >= 0.2 && heldSeconds(seen) >= 2
      ? {
        memory_mb: rounded(seen.memoryMbMax),
        held_mb: rounded(held / mebibyte),
        queued_mb: rounded(seen.queuedBytesMax / mebibyte),
        in_flight: seen.inFlightMax,
        held_s: rounded(heldSeconds(seen)),
        bytes_per_record: Math.round(seen.bytesPerRecord)
      }
      : undefined
  },
  advice: (seen, { bufferMaxBytes, maxPartitionFetchBytes, maxPollRecords, queueMaxBytes }) => {
    const held = heldBytes(seen)
    // Down to an eighth at once, and never to less than what lasts for two seconds.
    const wanted = Math.min(held / 2, Math.max(held / 8, 2 * held / heldSeconds(seen), 32 * mebibyte))
    const partitions = Math.max(1, seen.partitions / Math.max(1, seen.members))
    // One half for what is in flight: of each partition, twice max_poll_records are taken out of its queue.
    const poll = Math.max(1, Math.floor(wanted / 2 / Math.max(1, seen.bytesPerRecord) / (2 * partitions)))
    // The other for the queues: each holds two fetches, and what one more brings.
    const fetch = Math.max(65_536, powerOfTwo(wanted / 2 / partitions / 3) / 2)
    return {
      priority: seen.memoryMbMax >= 1_024 ? "high" : seen.memoryMbMax >= 512 ? "medium" : "low",
      reason: `${size(held)} of the process's ${rounded(seen.memoryMbMax)} MiB are records that wait: enough for `
        + time(heldSeconds(seen) * second),
      settings: {
        ...(poll < maxPollRecords && { maxPollRecords: poll }),
        ...(fetch < maxPartitionFetchBytes && { maxPartitionFetchBytes: fetch }),
        ...(queueMaxBytes > 2 * fetch && { queueMaxBytes: 2 * fetch }),
        ...(bufferMaxBytes > held && { bufferMaxBytes: powerOfTwo(wanted) })
      },
      effect: `about ${size(held - wanted)} less; what waits is still enough for ${
        time(heldSeconds(seen) * wanted / held * second)
      }`
    }
  }
}

const oversizedFetches: Rule = {
  name: "oversized-fetches",
  needs: { intervals: 2, records: 5 },
  certainty: 0.8,
  judges: ["maxPartitionFetchBytes", "fetchMaxBytes", "queueMaxBytes"],
  yieldsTo: ["high-memory"],
  fires: (seen, { maxPartitionFetchBytes }) =>
    maxPartitionFetchBytes > mebibyte && seen.queuedBytesMax >= 4 * mebibyte && queuedSeconds(seen) >= 60
      ? {
        max_partition_fetch_bytes: maxPartitionFetchBytes,
        bytes_per_record: Math.round(seen.bytesPerRecord),
        queued_mb: rounded(seen.queuedBytesMax / mebibyte),
        queued_s: rounded(queuedSeconds(seen))
      }
      : undefined,
  advice: (seen, { maxPartitionFetchBytes, queueMaxBytes }) => {
    const bytesPerSecond = seen.bytesPerRecord * seen.recordsPerSecond / Math.max(1, seen.partitions)
    const fetch = Math.min(
      maxPartitionFetchBytes / 2,
      powerOfTwo(Math.max(65_536, 10 * bytesPerSecond, seen.bytesPerRecord))
    )
    return {
      priority: "low",
      reason: `a fetch brings up to ${size(maxPartitionFetchBytes)} of a partition, and what was fetched waits for `
        + `${time(queuedSeconds(seen) * second)} until it is processed`,
      settings: { maxPartitionFetchBytes: fetch, ...(queueMaxBytes > 2 * fetch && { queueMaxBytes: 2 * fetch }) },
      effect: "less memory, and less to fetch again after a rebalance; workers still find records waiting"
    }
  }
}

const retryStorm: Rule = {
  name: "retry-storm",
  needs: { intervals: 1, records: 1 },
  certainty: 0.85,
  judges: ["retryBackoffMs"],
  fires: (seen) =>
    seen.retries >= 50 && seen.retries >= seen.records / 2
      ? {
        retries: seen.retries,
        failures: seen.failures,
        records: seen.records,
        retries_per_s: rounded(seen.retries / seen.seconds)
      }
      : undefined,
  advice: (seen, { maxPollIntervalMs, retryBackoffMs }) => ({
    priority: "high",
    reason:
      `${seen.retries} retries beside ${seen.records} records that were settled: what the handler calls fails, and is `
      + `asked ${rounded(seen.retries / seen.seconds)} times a second all the same`,
    settings: {
      // Eight attempts, with doubled pauses up to a minute, still end within the poll interval.
      retryBackoffMs: Math.min(
        Math.max(1_000, 4 * retryBackoffMs),
        Math.max(retryBackoffMs, Math.floor(maxPollIntervalMs / 64))
      )
    },
    action: "see what fails: the failures are logged with their tag, and a policy can be given for each",
    effect:
      "what is down is asked a quarter as often and can come back; records wait instead of using up their attempts"
  })
}

const poisonPills: Rule = {
  name: "poison-pills",
  needs: { intervals: 1, records: 1 },
  certainty: 0.9,
  judges: [],
  yieldsTo: ["retry-storm"],
  fires: (seen) =>
    seen.deadLetters >= 5 && seen.deadLetters >= seen.records / 1_000
      ? {
        dead_letters: seen.deadLetters,
        records: seen.records,
        share: rounded(seen.deadLetters / Math.max(1, seen.records)),
        retries: seen.retries
      }
      : undefined,
  advice: (seen) => ({
    priority: seen.deadLetters >= seen.records / 20 ? "high" : "medium",
    reason: `${seen.deadLetters} of ${seen.records} records were written to the dead-letter topic`
      + (seen.retries >= seen.deadLetters ? `, after ${seen.retries} retries` : ", without a retry"),
    settings: {},
    action: seen.retries >= seen.deadLetters
      ? "see which error they have in common (weft dlq count), and give its tag the policy deadLetter: no retry will heal it"
      : "see which error they have in common (weft dlq count): it is a producer or a schema that has changed",
    effect: "a record that no attempt heals costs one attempt, and those that can be healed are not lost among them"
  })
}

const commitIntervalTooLong: Rule = {
  name: "commit-interval-too-long",
  needs: { intervals: 2, records: 100 },
  certainty: 0.95,
  judges: ["enableAutoCommit", "autoCommitIntervalMs"],
  fires: (seen, { autoCommitIntervalMs, enableAutoCommit }) => {
    const repeated = Math.max(
      seen.uncommittedRecordsMax,
      seen.recordsPerSecond * autoCommitIntervalMs / second / Math.max(1, seen.members)
    )
    return enableAutoCommit && autoCommitIntervalMs > 5 * second && repeated >= 1_000
      ? {
        uncommitted_records: seen.uncommittedRecordsMax,
        repeated_after_a_crash: Math.round(repeated),
        auto_commit_interval_ms: autoCommitIntervalMs,
        commit_p99_ms: rounded(seen.commitP99MsMax)
      }
      : undefined
  },
  advice: (seen, { autoCommitIntervalMs }) => {
    const perMember = seen.recordsPerSecond / Math.max(1, seen.members)
    const repeated = Math.round(Math.max(seen.uncommittedRecordsMax, perMember * autoCommitIntervalMs / second))
    return {
      priority: "medium",
      reason: `settled offsets are committed every ${time(autoCommitIntervalMs)}: a crash of a member repeats up to `
        + `${repeated} records`,
      settings: {
        autoCommitIntervalMs: Math.min(5 * second, Math.max(second, roundUp(autoCommitIntervalMs * 500 / repeated)))
      },
      action: "or set enable_auto_commit to false: then offsets are committed as soon as they are settled",
      effect: "a crash repeats the work of a few seconds; a commit costs one request, whatever it commits"
    }
  }
}

const hotKey: Rule = {
  name: "hot-key",
  needs: { intervals: 2, records: 200 },
  certainty: 0.85,
  judges: ["processingOrder", "concurrency"],
  // One key keeps one worker busy all the time, however small its part of all records then is.
  fires: (seen) =>
    seen.busiestKeyShare !== undefined && seen.busiestKeyShare * atWork(seen) >= 0.7
      && seen.lag.largestPartitionShare >= 0.5 && isBehind(seen)
      ? {
        busiest_key_share: rounded(seen.busiestKeyShare),
        busiest_key_at_work: rounded(seen.busiestKeyShare * atWork(seen)),
        largest_partition_lag_share: rounded(seen.lag.largestPartitionShare),
        lag: seen.lag.records,
        mean_ms: rounded(seen.meanMs)
      }
      : undefined,
  advice: (seen) => ({
    priority: lagIsGrowing(seen) ? "high" : "medium",
    reason:
      `one key has ${percent(seen.busiestKeyShare ?? 0)} of the records, which wait for each other, and the lag of its `
      + `partition is ${
        percent(seen.lag.largestPartitionShare)
      } of all: neither more workers nor more members make it faster`,
    settings: {},
    action:
      "give records of that key different keys (a part of them is enough), process them with order none where their "
      + "order does not matter, or make the handler quicker for them",
    effect: "the others of its partition no longer wait behind one key"
  })
}

const hotPartition: Rule = {
  name: "hot-partition",
  needs: { intervals: 2, records: 200 },
  certainty: 0.85,
  judges: ["processingOrder", "concurrency"],
  yieldsTo: ["hot-key"],
  fires: (seen, config) => {
    const share = Math.max(seen.busiestPartitionShare, seen.lag.largestPartitionShare)
    return seen.busiestTopicPartitions >= 3 && share >= 0.5 && share >= 2 / seen.busiestTopicPartitions
        && seen.lag.largestPartitionShare >= 0.5 && isBehind(seen) && config.processingOrder === "partition"
      ? {
        busiest_partition_share: rounded(seen.busiestPartitionShare),
        largest_partition_lag_share: rounded(seen.lag.largestPartitionShare),
        partitions: seen.busiestTopicPartitions,
        lag: seen.lag.records
      }
      : undefined
  },
  advice: (seen, config) => ({
    priority: lagIsGrowing(seen) ? "high" : "medium",
    reason:
      `one of ${seen.busiestTopicPartitions} partitions has ${percent(seen.lag.largestPartitionShare)} of the lag: it `
      + "has one worker, whatever the number of members",
    settings: isBatched(seen, config) ? {} : { processingOrder: "key" },
    action: isBatched(seen, config)
      ? "spread its keys over more partitions: batches are in the order of their partition"
      : "spread its keys over more partitions where that is not enough; more replicas would not help",
    effect: "records with different keys of the partition are processed at the same time, those of one key in order"
  })
}

const databaseBound: Rule = {
  name: "database-bound",
  needs: { intervals: 2, records: 200 },
  certainty: 0.75,
  judges: ["concurrency", "processingOrder", "maxPollRecords"],
  yieldsTo: ["retry-storm"],
  fires: (seen) => {
    const found = scaling(seen)
    return found !== undefined && found.elasticity <= 0.25 && found.to.meanMs >= 5 && !isComputing(seen)
      ? {
        at_work_before: rounded(found.from.atWork),
        at_work_after: rounded(found.to.atWork),
        records_per_s_before: rounded(found.from.recordsPerSecond),
        records_per_s_after: rounded(found.to.recordsPerSecond),
        mean_ms_before: rounded(found.from.meanMs),
        mean_ms_after: rounded(found.to.meanMs)
      }
      : undefined
  },
  advice: (seen, config) => {
    const { from, to } = scaling(seen)!
    // As many as reach the throughput with the latency that there was before anything waited.
    const enough = Math.max(1, Math.ceil(1.2 * to.recordsPerSecond * from.meanMs / second / Math.max(1, seen.members)))
    const perMember = workersOf(seen, config) / Math.max(1, seen.members)
    return {
      priority: "medium",
      reason: `with ${rounded(to.atWork)} records at work instead of ${rounded(from.atWork)} the throughput stayed at `
        + `${rounded(to.recordsPerSecond)} records/s, and each took ${time(to.meanMs)} instead of ${
          time(from.meanMs)
        }: what `
        + "the handlers call is at its limit",
      settings: isBatched(seen, config) || enough > perMember * 0.7 ? {} : { concurrency: enough },
      action:
        "hold replicas and concurrency where they are; look at what is called: its pool, its locks, its rate limit",
      effect: "the same throughput, without the wait in front of what is at its limit"
    }
  }
}

const moreMembersThanPartitions: Rule = {
  name: "more-members-than-partitions",
  needs: { intervals: 2, records: 0 },
  certainty: 0.9,
  judges: ["partitionAssignmentStrategy"],
  fires: (seen) =>
    seen.idleMembers > 0 && seen.members > seen.partitions && seen.partitions > 0
      ? { members: seen.members, partitions: seen.partitions, idle_members: seen.idleMembers }
      : undefined,
  advice: (seen) => ({
    priority: lagIsGrowing(seen) ? "medium" : "low",
    reason: `${seen.members} members share ${seen.partitions} partitions: ${seen.idleMembers} have nothing to do`,
    settings: {},
    action: `run ${seen.partitions} replicas, or give the topic more partitions`,
    effect: "the same throughput with fewer processes"
  })
}

const growingLag: Rule = {
  name: "growing-lag",
  needs: { intervals: 2, records: 20 },
  certainty: 0.75,
  judges: ["maxPollRecords", "processingOrder", "concurrency", "maxPartitionFetchBytes"],
  yieldsTo: ["retry-storm", "hot-key", "hot-partition", "database-bound", "frequent-rebalancing"],
  fires: (seen, config) =>
    lagIsGrowing(seen)
      ? {
        lag: seen.lag.records,
        lag_s: rounded(seen.lag.seconds),
        growth_per_s: rounded(seen.lag.growthPerSecond),
        records_per_s: rounded(seen.recordsPerSecond),
        mean_ms: rounded(seen.meanMs),
        full_batch_share: rounded(seen.fullBatchShare),
        busy_share: rounded(busyShare(seen, config)),
        event_loop_pause_ms: rounded(seen.eventLoopDelayMsMedian),
        members: seen.members,
        partitions: seen.partitions
      }
      : undefined,
  advice: (seen, config) => {
    const { concurrency, maxPartitionFetchBytes, maxPollIntervalMs, maxPollRecords, processingOrder } = config
    const priority: Priority = seen.lag.seconds >= 300 || seen.lag.records >= 10_000 ? "high" : "medium"
    const behind =
      `the lag of ${seen.lag.records} records grows by ${rounded(seen.lag.growthPerSecond)} a second, while `
      + `${rounded(seen.recordsPerSecond)} are processed`
    const replicas = seen.members < seen.partitions
      ? `add members, up to the ${seen.partitions} partitions (there are ${seen.members})`
      : `give the topic more than its ${seen.partitions} partitions, and as many members`
    if (busyShare(seen, config) < 0.5 && seen.queuedRecordsMax < maxPollRecords && !isComputing(seen)) {
      return {
        priority,
        reason: `${behind}; workers are idle for want of records: fetching does not keep up`,
        settings: { maxPartitionFetchBytes: 4 * maxPartitionFetchBytes },
        effect: "each answer of a broker brings more of each partition"
      }
    }
    // A batch that is twice as large takes twice as long at most, and must be done well within the poll interval.
    const roomInInterval = maxPollIntervalMs / 4 / Math.max(1, seen.p99Ms)
    const isFull = seen.fullBatchShare >= 0.5
    if (isBatched(seen, config) && isFull && roomInInterval >= 2) {
      return {
        priority,
        reason: `${behind}; ${percent(seen.fullBatchShare)} of the batches are full, and take ${
          time(seen.meanMs)
        } each`,
        settings: { maxPollRecords: maxPollRecords * Math.min(5, Math.floor(roomInInterval)) },
        effect: "what each batch costs is shared by more records; should their cost grow with them, add members next"
      }
    }
    if (!isComputing(seen) && seen.meanMs >= 5 && !isBatched(seen, config)) {
      return processingOrder === "partition"
        ? {
          priority,
          reason:
            `${behind}; each record takes ${
              time(seen.meanMs)
            } and waits rather than computes, with one worker for each `
            + "partition",
          settings: { processingOrder: "key" },
          action: `where the order by partition is needed: ${replicas}`,
          effect: "records with different keys are processed at the same time, those of one key in order"
        }
        : {
          priority,
          reason: `${behind}; all ${workersOf(seen, config)} workers are busy waiting, ${
            time(seen.meanMs)
          } for each record`,
          settings: { concurrency: 2 * (concurrency > 0 ? concurrency : defaultWorkers) },
          effect: "twice the throughput, as long as what the handlers wait for has room"
        }
    }
    return {
      priority,
      reason: isComputing(seen)
        ? `${behind}; handlers compute: the event loop is busy for ${time(seen.eventLoopDelayMsMedian)} at a time`
        : `${behind}; each record takes ${time(seen.meanMs)}`,
      settings: isFull && !isComputing(seen) && maxPollRecords < 500 ? { maxPollRecords: 500 } : {},
      action: replicas,
      effect: "each member adds the throughput of one process"
    }
  }
}

const batchesAlwaysFull: Rule = {
  name: "batches-always-full",
  needs: { intervals: 3, records: 200 },
  certainty: 0.7,
  judges: ["maxPollRecords"],
  yieldsTo: ["growing-lag", "database-bound", "hot-partition", "hot-key", "retry-storm", "timing-out"],
  fires: (seen, config) =>
    seen.batches >= 20 && seen.fullBatchShare >= 0.95 && isBatched(seen, config) && busyShare(seen, config) >= 0.7
      && seen.p99Ms < Math.min(second, config.maxPollIntervalMs / 20)
      // What falls by more than a tenth of the throughput is being caught up with.
      && seen.lag.records >= config.maxPollRecords && seen.lag.growthPerSecond > -seen.recordsPerSecond / 10
      ? {
        batches: seen.batches,
        full_batch_share: rounded(seen.fullBatchShare),
        mean_ms: rounded(seen.meanMs),
        lag: seen.lag.records,
        busy_share: rounded(busyShare(seen, config))
      }
      : undefined,
  advice: (seen, { maxPollRecords }) => ({
    priority: "medium",
    reason:
      `${percent(seen.fullBatchShare)} of ${seen.batches} batches were full, each done in ${time(seen.meanMs)}, and `
      + `${seen.lag.records} records wait`,
    settings: { maxPollRecords: 2 * maxPollRecords },
    effect: "fewer batches for the same records: what each costs is shared by twice as many"
  })
}

const batchesNeverFull: Rule = {
  name: "batches-never-full",
  needs: { intervals: 3, records: 500 },
  certainty: 0.7,
  judges: ["maxPollRecords", "fetchMinBytes", "fetchMaxWaitMs"],
  yieldsTo: ["growing-lag", "retry-storm"],
  fires: (seen, { maxPollRecords }) =>
    seen.batches >= 50 && seen.fullBatchShare === 0 && maxPollRecords >= 500 &&
      seen.recordsPerBatch * 10 <= maxPollRecords
      ? {
        batches: seen.batches,
        records_per_batch: rounded(seen.recordsPerBatch),
        max_poll_records: maxPollRecords,
        mean_ms: rounded(seen.meanMs),
        bytes_per_record: Math.round(seen.bytesPerRecord)
      }
      : undefined,
  advice: (seen, config) => {
    const { maxPollRecords } = config
    const reason = `none of ${seen.batches} batches was full: ${rounded(seen.recordsPerBatch)} records each, where `
      + `${maxPollRecords} could be`
    // Busy with small batches: what each costs is worth sharing. Otherwise they are small since little comes in.
    return busyShare(seen, config) >= 0.3 && seen.meanMs >= 2
      ? {
        priority: "low",
        reason: `${reason}, and handling them keeps ${percent(busyShare(seen, config))} of the workers busy`,
        settings: {
          fetchMinBytes: collectedBytes(seen, config)
        },
        effect: "the broker collects more before it answers, for at most fetch_max_wait_ms: fewer, larger batches"
      }
      : {
        priority: "low",
        reason,
        settings: { maxPollRecords: Math.max(100, roundUp(4 * seen.recordsPerBatch)) },
        effect: "the same batches, with tighter bounds of what waits in memory and of what a rebalance has to drain"
      }
  }
}

const pollIntervalTooShort: Rule = {
  name: "poll-interval-too-short",
  needs: { intervals: 2, records: 20 },
  certainty: 0.85,
  judges: ["maxPollIntervalMs"],
  yieldsTo: ["timing-out"],
  fires: (seen, { maxPollIntervalMs }) =>
    longestMs(seen) >= maxPollIntervalMs / 3
      ? { longest_ms: rounded(longestMs(seen)), p99_ms: rounded(seen.p99Ms), max_poll_interval_ms: maxPollIntervalMs }
      : undefined,
  advice: (seen, { maxPollIntervalMs }) => ({
    priority: "medium",
    reason:
      `what took longest took ${time(longestMs(seen))}, a third of max_poll_interval_ms (${
        time(maxPollIntervalMs)
      }) or `
      + "more: a little slower, and it counts as stalled",
    settings: { maxPollIntervalMs: roundUp(Math.max(5 * longestMs(seen), 2 * maxPollIntervalMs)) },
    effect: "slow records are not reported as stalled, and a rebalance waits for them instead of repeating them"
  })
}

const pollIntervalTooLong: Rule = {
  name: "poll-interval-too-long",
  needs: { intervals: 6, records: 1_000 },
  certainty: 0.6,
  judges: ["maxPollIntervalMs", "sessionTimeoutMs"],
  yieldsTo: ["timing-out", "frequent-rebalancing", "retry-storm"],
  fires: (seen, { maxPollIntervalMs }) =>
    maxPollIntervalMs > 10 * minute && longestMs(seen) * 100 < maxPollIntervalMs
      ? { longest_ms: rounded(longestMs(seen)), p99_ms: rounded(seen.p99Ms), max_poll_interval_ms: maxPollIntervalMs }
      : undefined,
  advice: (seen, { maxPollIntervalMs, sessionTimeoutMs }) => ({
    priority: "low",
    reason:
      `a record that is stuck would hold its partition, and a rebalance its group, for ${
        time(maxPollIntervalMs)
      }; what `
      + `took longest took ${time(longestMs(seen))}`,
    settings: { maxPollIntervalMs: Math.max(5 * minute, sessionTimeoutMs, roundUp(20 * longestMs(seen))) },
    effect: "a stuck record is noticed sooner"
  })
}

/**
 * All rules, by precedence.
 *
 * @category table
 * @since 0.1.0
 */
export const rules: ReadonlyArray<Rule> = [
  sessionShorterThanPauses,
  frequentRebalancing,
  timingOut,
  highMemory,
  oversizedFetches,
  retryStorm,
  poisonPills,
  commitIntervalTooLong,
  hotKey,
  hotPartition,
  databaseBound,
  moreMembersThanPartitions,
  growingLag,
  batchesAlwaysFull,
  batchesNeverFull,
  pollIntervalTooShort,
  pollIntervalTooLong
]
