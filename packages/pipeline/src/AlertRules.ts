/**
 * What is worth an alert. One table: each rule turns the facts of a look into readings, and says how sure it wants to be.
 * Pure.
 *
 * @since 0.1.0
 */
import {
  defaultThresholds,
  type Facts,
  outcomesWindowMs,
  type PartitionFacts,
  type ServiceFacts,
  troubleWindowMs
} from "./AlertFacts.ts"
import type { Hysteresis, Marks, Reading, Told } from "./AlertTracker.ts"
import type { LagStatus } from "./LagStatus.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface AlertRule {
  /** The kind of its alerts. */
  readonly kind: string
  /** What it sees, in a sentence. */
  readonly sees: string
  /** What to do about it, in a sentence. */
  readonly advice: string
  readonly hysteresis: Hysteresis
  /** A reading for each subject that was measured, the good ones included: they are what closes an alert. */
  readonly read: (facts: Facts, hysteresis: Hysteresis) => ReadonlyArray<Reading>
}

const minutes = (n: number): number => n * 60_000

/** Three looks in a row either way, and a fifth below the mark to close. */
const lagHysteresis: Hysteresis = {
  openAfterLooks: 3,
  openAfterMs: 20_000,
  closeAfterLooks: 3,
  closeAfterMs: 60_000,
  clearUpTo: 0.8
}

/** What was counted over minutes is steady by itself, and ends with its window. */
const countedHysteresis: Hysteresis = {
  openAfterLooks: 1,
  openAfterMs: 0,
  closeAfterLooks: 2,
  closeAfterMs: 30_000,
  clearUpTo: 0.5
}

const places = (partitions: ReadonlyArray<PartitionFacts>) => partitions.slice(0, 20).map(({ partition }) => partition)

const ofTopic = (one: PartitionFacts): string => JSON.stringify([one.service, one.topic])

const seconds = (n: number): string =>
  n < 120 ? `${Math.round(n)} s` : n < 7_200 ? `${Math.round(n / 60)} min` : `${Math.round(n / 3_600)} h`

const percent = (share: number): string => `${Math.round(share * 1_000) / 10}%`

/** A reading for each topic of each service: its worst partition decides, since a mean hides one among many. */
const byTopic = (options: {
  readonly kind: string
  readonly value: (one: PartitionFacts) => number | undefined
  readonly marks: (facts: Facts, service: string) => Marks
  readonly tell: (worst: PartitionFacts, value: number, behind: ReadonlyArray<PartitionFacts>, marks: Marks) => Told
}) =>
(facts: Facts, hysteresis: Hysteresis): ReadonlyArray<Reading> =>
  [...Map.groupBy(facts.partitions, ofTopic).values()].flatMap((partitions): ReadonlyArray<Reading> => {
    const measured = partitions.flatMap((one) => {
      const value = options.value(one)
      return value === undefined ? [] : [{ one, value }]
    })
    const first = measured[0]
    if (first === undefined) return []
    const worst = measured.reduce((most, next) => next.value > most.value ? next : most, first)
    const { service, topic } = worst.one
    const marks = options.marks(facts, service)
    const least = Math.min(marks.warning ?? Infinity, marks.critical ?? Infinity)
    return [{
      kind: options.kind,
      service,
      topic,
      partition: undefined,
      at: measured.reduce((latest, { one }) => Math.max(latest, one.at), 0),
      value: worst.value,
      marks,
      hysteresis,
      tell: () =>
        options.tell(
          worst.one,
          worst.value,
          measured.filter(({ value }) => value > least).map(({ one }) => one),
          marks
        )
    }]
  })

const markText = (value: number, { critical, warning }: Marks, unit: (n: number) => string): string =>
  critical !== undefined && value > critical
    ? `critical above ${unit(critical)}`
    : warning !== undefined && value > warning
    ? `warning above ${unit(warning)}`
    : "falling"

/** A reading for each partition: whether it has the status. */
const byStatus = (options: {
  readonly kind: string
  readonly status: LagStatus
  readonly marks: Marks
  readonly message: (one: PartitionFacts) => string
  readonly hysteresisOf?: (facts: Facts, hysteresis: Hysteresis) => (service: string) => Hysteresis
}) =>
(facts: Facts, hysteresis: Hysteresis): ReadonlyArray<Reading> => {
  const hysteresisOf = options.hysteresisOf?.(facts, hysteresis) ?? (() => hysteresis)
  return facts.partitions.map((one): Reading => ({
    kind: options.kind,
    service: one.service,
    topic: one.topic,
    partition: one.partition,
    at: one.at,
    value: one.status === options.status ? 1 : 0,
    marks: options.marks,
    hysteresis: hysteresisOf(one.service),
    tell: () => ({
      message: options.message(one),
      evidence: {
        status: one.status,
        offset: String(one.offset),
        end: String(one.end),
        lag: one.lag,
        lagSeconds: one.lagSeconds ?? null,
        member: one.member
      }
    })
  }))
}

/** No progress is no news before the service's own limit for it has passed. */
const afterPollInterval = ({ services }: Facts, hysteresis: Hysteresis) => {
  const limits = new Map(services.map(({ maxPollIntervalMs, service }) => [service, maxPollIntervalMs]))
  return (service: string): Hysteresis => {
    const limit = limits.get(service)
    return limit === undefined ? hysteresis : { ...hysteresis, openAfterMs: limit }
  }
}

/** A reading for each service. */
const byService = (options: {
  readonly kind: string
  readonly marks: Marks
  /** `undefined`: it cannot be said. */
  readonly value: (service: ServiceFacts, facts: Facts) => number | undefined
  readonly tell: (service: ServiceFacts, value: number, facts: Facts) => Told
}) =>
(facts: Facts, hysteresis: Hysteresis): ReadonlyArray<Reading> =>
  facts.services.flatMap((one): ReadonlyArray<Reading> => {
    const value = options.value(one, facts)
    return value === undefined ? [] : [{
      kind: options.kind,
      service: one.service,
      topic: undefined,
      partition: undefined,
      at: one.at,
      value,
      marks: options.marks,
      hysteresis,
      tell: () => options.tell(one, value, facts)
    }]
  })

/** Too few attempts make no rate: one failure of two is no outage. */
const fewestAttempts = 20

const lagOfService = ({ partitions }: Facts, service: string): number =>
  partitions.reduce((sum, one) => one.service === service ? sum + one.lag : sum, 0)

/**
 * The rules, by kind.
 *
 * @category table
 * @since 0.1.0
 */
export const rules: ReadonlyArray<AlertRule> = [
  {
    kind: "lag",
    sees: "A partition of the topic is more records behind than the service's thresholds allow.",
    advice: "Add members (up to one for each partition), raise concurrency, or find what slows the handler down.",
    hysteresis: lagHysteresis,
    read: byTopic({
      kind: "lag",
      value: ({ lag }) => lag,
      marks: ({ thresholds }, service) => {
        const { criticalLag, warningLag } = thresholds.get(service) ?? defaultThresholds
        return { warning: warningLag, critical: criticalLag }
      },
      tell: (worst, value, behind, marks) => ({
        message: `${worst.service} is ${value} records behind on partition ${worst.partition} of ${worst.topic} (${
          markText(value, marks, String)
        })`,
        evidence: {
          lag: value,
          partition: worst.partition,
          lagSeconds: worst.lagSeconds ?? null,
          status: worst.status,
          member: worst.member,
          partitionsBehind: behind.length,
          partitions: places(behind),
          marks
        }
      })
    })
  },
  {
    kind: "lag-seconds",
    sees: "The oldest record that is not settled is older than the service's thresholds allow.",
    advice: "The same as for lag; where the lag in records is small, look at that one partition: it may be stuck.",
    hysteresis: lagHysteresis,
    read: byTopic({
      kind: "lag-seconds",
      value: ({ lagSeconds }) => lagSeconds,
      marks: ({ thresholds }, service) => {
        const { criticalSeconds, warningSeconds } = thresholds.get(service) ?? defaultThresholds
        return { warning: warningSeconds, critical: criticalSeconds }
      },
      tell: (worst, value, behind, marks) => ({
        message: `${worst.service} is ${
          seconds(value)
        } behind on partition ${worst.partition} of ${worst.topic}, ${worst.lag} records (${
          markText(value, marks, seconds)
        })`,
        evidence: {
          lagSeconds: value,
          partition: worst.partition,
          lag: worst.lag,
          status: worst.status,
          member: worst.member,
          partitionsBehind: behind.length,
          partitions: places(behind),
          marks
        }
      })
    })
  },
  {
    kind: "stuck",
    sees: "A partition made no progress for max_poll_interval_ms although records are being processed.",
    advice: "The handler does not return, or the record fails again and again: look at the record at the offset named.",
    hysteresis: { ...lagHysteresis, openAfterMs: minutes(5), closeAfterLooks: 2, closeAfterMs: 0 },
    read: byStatus({
      kind: "stuck",
      status: "stuck",
      marks: { critical: 0 },
      hysteresisOf: afterPollInterval,
      message: (one) =>
        `${one.service} makes no progress at offset ${one.offset} of partition ${one.partition} of ${one.topic}: ` +
        `its records do not settle, ${one.lag} records behind`
    })
  },
  {
    kind: "stall",
    sees: "A partition with records to read made no progress for max_poll_interval_ms, and none is being processed.",
    advice:
      "Does a member hold it? If none, start one. If one does, look at its log: paused, without a broker, or hung; " +
      "restarting it is safe.",
    hysteresis: { ...lagHysteresis, openAfterMs: minutes(5), closeAfterLooks: 2, closeAfterMs: 0 },
    read: byStatus({
      kind: "stall",
      status: "stall",
      marks: { critical: 0 },
      hysteresisOf: afterPollInterval,
      message: (one) =>
        `${one.service} makes no progress at offset ${one.offset} of partition ${one.partition} of ${one.topic}: ` +
        `no record is being processed, ${one.lag} records behind`
    })
  },
  {
    kind: "stop",
    sees: "Nobody holds a partition that has records to read.",
    advice: "Start the service; where it runs, compare its group and topics with those named.",
    hysteresis: { ...lagHysteresis, openAfterMs: minutes(1), closeAfterLooks: 2, closeAfterMs: 0 },
    read: byStatus({
      kind: "stop",
      status: "stop",
      marks: { critical: 0 },
      message: (one) =>
        `nobody of ${one.service} holds partition ${one.partition} of ${one.topic}, ${one.lag} records behind`
    })
  },
  {
    kind: "halted",
    sees: "A partition was halted by the stall policy.",
    advice: "Mend what the record at the offset named waits for, then restart the member.",
    hysteresis: { ...lagHysteresis, openAfterLooks: 1, openAfterMs: 0, closeAfterLooks: 2, closeAfterMs: 0 },
    read: byStatus({
      kind: "halted",
      status: "halted",
      marks: { critical: 0 },
      message: (one) =>
        `${one.service} halted partition ${one.partition} of ${one.topic} at offset ${one.offset}, ` +
        `${one.lag} records behind`
    })
  },
  {
    kind: "rewind",
    sees: "The offset of a partition went back: records are processed again.",
    advice:
      "Expected after a reset of offsets. Otherwise look for a lost __consumer_offsets or a second group of that name.",
    hysteresis: { ...lagHysteresis, openAfterLooks: 1, openAfterMs: 0, closeAfterLooks: 2, closeAfterMs: 0 },
    read: byStatus({
      kind: "rewind",
      status: "rewind",
      marks: { warning: 0 },
      message: (one) =>
        `${one.service} went back to offset ${one.offset} on partition ${one.partition} of ${one.topic}, ` +
        `${one.lag} records behind`
    })
  },
  {
    kind: "failing",
    sees: "Of the attempts of the last five minutes, more than a twentieth (critical: half) failed.",
    advice: "Look at the service's log for the error; where a dependency is away, retries go on by themselves.",
    hysteresis: { ...countedHysteresis, openAfterLooks: 2 },
    read: byService({
      kind: "failing",
      marks: { warning: 0.05, critical: 0.5 },
      value: ({ failures, processed }) => {
        const attempts = processed + failures
        return attempts === 0 || attempts >= fewestAttempts ? failures / Math.max(1, attempts) : undefined
      },
      tell: ({ failures, processed, service }, value) => ({
        message: `${percent(value)} of the attempts of ${service} fail: ${failures} of ${failures + processed}`,
        evidence: { share: value, failures, processed, windowMs: outcomesWindowMs }
      })
    })
  },
  {
    kind: "dead-letters",
    sees:
      "Of the records of the last five minutes, more than a hundredth (critical: a tenth) went to the dead-letter topic.",
    advice:
      "Read the newest dead letters: their headers hold the exception. A deployed change of format is the usual cause.",
    hysteresis: { ...countedHysteresis, openAfterLooks: 2 },
    read: byService({
      kind: "dead-letters",
      marks: { warning: 0.01, critical: 0.1 },
      value: ({ deadLetters, processed }) =>
        processed === 0 || processed >= fewestAttempts ? deadLetters / Math.max(1, processed) : undefined,
      tell: ({ deadLetters, processed, service }, value) => ({
        message: `${percent(value)} of the records of ${service} are dead-lettered: ${deadLetters} of ${processed}`,
        evidence: { share: value, deadLetters, processed, windowMs: outcomesWindowMs }
      })
    })
  },
  {
    kind: "crashing",
    sees: "The client library failed three times (critical: ten times) within fifteen minutes.",
    advice:
      "Brokers away, credentials, or a broken network: the log names the error of each crash. It recovers by itself.",
    hysteresis: countedHysteresis,
    read: byService({
      kind: "crashing",
      marks: { warning: 2, critical: 9 },
      value: ({ crashes }) => crashes,
      tell: ({ crashes, service }) => ({
        message: `the Kafka client of ${service} failed ${crashes} times in ${troubleWindowMs / 60_000} minutes`,
        evidence: { crashes, windowMs: troubleWindowMs }
      })
    })
  },
  {
    kind: "commits-failing",
    sees: "Three commits (critical: twenty) failed within fifteen minutes.",
    advice: "Records will come again. Look for rebalances during commits, and at the group's coordinator.",
    hysteresis: countedHysteresis,
    read: byService({
      kind: "commits-failing",
      marks: { warning: 2, critical: 19 },
      value: ({ commitFailures }) => commitFailures,
      tell: ({ commitFailures, service }) => ({
        message: `${commitFailures} commits of ${service} failed in ${troubleWindowMs / 60_000} minutes`,
        evidence: { commitFailures, windowMs: troubleWindowMs }
      })
    })
  },
  {
    kind: "rebalancing",
    sees:
      "The group rebalanced ten times (critical: thirty times) within fifteen minutes: more than a deployment takes.",
    advice:
      "Members that come and go, or are thrown out: look for restarts, pauses of the event loop, session_timeout_ms.",
    hysteresis: countedHysteresis,
    read: byService({
      kind: "rebalancing",
      marks: { warning: 9, critical: 29 },
      value: ({ rebalances }) => rebalances,
      tell: ({ rebalances, service }) => ({
        message: `the group of ${service} rebalanced ${rebalances} times in ${troubleWindowMs / 60_000} minutes`,
        evidence: { rebalances, windowMs: troubleWindowMs }
      })
    })
  },
  {
    kind: "no-members",
    sees:
      "No member of the service has been heard of for two minutes, and none said that it leaves. Critical with a lag.",
    advice: "Is the process there? If it is, can it reach the database: members report through it.",
    hysteresis: { openAfterLooks: 2, openAfterMs: 30_000, closeAfterLooks: 1, closeAfterMs: 0, clearUpTo: 0.8 },
    read: byService({
      kind: "no-members",
      marks: { warning: 0, critical: 1 },
      value: ({ hasLeft, members, service }, facts) =>
        members === undefined
          ? undefined
          : members > 0 || hasLeft && lagOfService(facts, service) === 0
          ? 0
          : lagOfService(facts, service) > 0
          ? 2
          : 1,
      tell: ({ at, hasLeft, memberSeenAt, service }, _, facts) => ({
        message: memberSeenAt === undefined
          ? `no member of ${service} was ever heard of`
          : `no member of ${service} has been heard of for ${seconds((at - memberSeenAt) / 1_000)}`,
        evidence: { memberSeenAt: memberSeenAt ?? null, hasLeft, lag: lagOfService(facts, service) }
      })
    })
  }
]

/**
 * All readings of a look.
 *
 * @category combinators
 * @since 0.1.0
 */
export const read = (facts: Facts, by: ReadonlyArray<AlertRule> = rules): ReadonlyArray<Reading> =>
  by.flatMap((rule) => rule.read(facts, rule.hysteresis))

/**
 * What to do about an alert of a kind; `undefined` for a kind that is none of {@link rules}.
 *
 * @category accessors
 * @since 0.1.0
 */
export const adviceOf = (kind: string): string | undefined => rules.find((rule) => rule.kind === kind)?.advice
