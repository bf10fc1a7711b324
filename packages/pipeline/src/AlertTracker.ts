/**
 * When an alert opens, changes and closes: readings against marks, with hysteresis, so that nobody is woken twice for the
 * same thing. Pure: state, readings and the time in, state and transitions out.
 *
 * @since 0.1.0
 */
import {
  type Alert,
  type AlertSubject,
  type AlertTransition,
  type ClosedBecause,
  keyOf,
  type Severity
} from "./Alert.ts"

/**
 * Values above which a reading is bad. A mark that is left out is never passed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Marks {
  readonly warning?: number | undefined
  readonly critical?: number | undefined
}

/**
 * How much it takes to change one's mind. Looks count only where they saw something new.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hysteresis {
  /** Bad looks in a row before it opens (or gets worse). 1 or more. */
  readonly openAfterLooks: number
  /** And how long they have to span, in milliseconds. */
  readonly openAfterMs: number
  /** Good looks in a row before it closes (or gets better). 1 or more. */
  readonly closeAfterLooks: number
  readonly closeAfterMs: number
  /** A look is good up to this part of the mark: between the two it is neither, and nothing changes. From 0 to 1. */
  readonly clearUpTo: number
}

/**
 * What one look found of one subject.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reading extends AlertSubject {
  /** When it was measured, milliseconds since 1970. The same measurement seen again is no other look. */
  readonly at: number
  readonly value: number
  readonly marks: Marks
  readonly hysteresis: Hysteresis
  /** In words and as values; asked only where it is needed. */
  readonly tell: () => Told
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Told {
  readonly message: string
  readonly evidence: Readonly<Record<string, unknown>>
}

/** One severity of one subject: on or off, and how many looks in a row spoke against that. */
interface Trigger {
  readonly isOn: boolean
  readonly looks: number
  /** When the first of them was. */
  readonly since: number
}

interface Tracked {
  readonly subject: AlertSubject
  readonly warning: Trigger
  readonly critical: Trigger
  readonly alert: Alert | undefined
  /** Of the last measurement. */
  readonly at: number
  /** When the last new measurement was looked at. */
  readonly seenAt: number
}

/**
 * What is known between two looks: the open alerts, and what may become one. Its size is that of what is not well.
 *
 * @category models
 * @since 0.1.0
 */
export interface AlertTracking {
  /** @internal */
  readonly tracked: ReadonlyMap<string, Tracked>
}

const off: Trigger = { isOn: false, looks: 0, since: 0 }
const on: Trigger = { isOn: true, looks: 0, since: 0 }

const severityOf = ({ critical, warning }: Pick<Tracked, "critical" | "warning">): Severity | undefined =>
  critical.isOn ? "critical" : warning.isOn ? "warning" : undefined

type Verdict = "bad" | "good" | "neither"

const judge = (value: number, mark: number | undefined, clearUpTo: number): Verdict => {
  if (mark === undefined) return "good"
  if (value > mark) return "bad"
  return value <= mark * clearUpTo ? "good" : "neither"
}

const turn = (trigger: Trigger, verdict: Verdict, { hysteresis }: Reading, now: number): Trigger => {
  const { isOn } = trigger
  if (verdict !== (isOn ? "good" : "bad")) return isOn ? on : off
  const looks = trigger.looks + 1
  const since = trigger.looks === 0 ? now : trigger.since
  const [afterLooks, afterMs] = isOn
    ? [hysteresis.closeAfterLooks, hysteresis.closeAfterMs]
    : [hysteresis.openAfterLooks, hysteresis.openAfterMs]
  return looks >= afterLooks && now - since >= afterMs ? isOn ? off : on : { isOn, looks, since }
}

/**
 * Nothing is known yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty: AlertTracking = { tracked: new Map() }

/**
 * What is known from open alerts alone: how an evaluator goes on where another one ended.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromOpen = (alerts: Iterable<Alert>, now: number): AlertTracking => ({
  tracked: new Map(Array.from(alerts, (alert): readonly [string, Tracked] => [keyOf(alert), {
    subject: alert,
    warning: on,
    critical: alert.severity === "critical" ? on : off,
    alert,
    at: Number.NEGATIVE_INFINITY,
    seenAt: now
  }]))
})

/**
 * The open alerts.
 *
 * @category accessors
 * @since 0.1.0
 */
export const open = ({ tracked }: AlertTracking): ReadonlyArray<Alert> =>
  [...tracked.values()].flatMap(({ alert }) => alert ?? [])

/**
 * @category models
 * @since 0.1.0
 */
export interface LookOptions {
  /**
   * How long an alert stays open without a new measurement of its subject, in milliseconds: a topic that is gone, a
   * service that nobody watches any more. Default 15 minutes.
   */
  readonly expireAfterMs?: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Looked {
  readonly state: AlertTracking
  readonly transitions: ReadonlyArray<AlertTransition>
  /** The alerts that stay open, with their newest figures. */
  readonly refreshed: ReadonlyArray<Alert>
}

const subjectOf = ({ kind, partition, service, topic }: AlertSubject): AlertSubject => ({
  service,
  kind,
  topic,
  partition
})

const closed = (alert: Alert, now: number, because: ClosedBecause): AlertTransition => ({
  _tag: "Closed",
  alert: { ...alert, closedAt: now },
  because
})

/**
 * One look: the state after it, and what changed. Every alert that opens closes once, and opens again only after that.
 *
 * **Details**
 *
 * Each severity is a switch of its own. It turns on after so many bad looks in a row that span so long, and off after so
 * many good ones; a look in between begins the count anew. An alert is open while either is on, with the worse of them as
 * its severity.
 *
 * @category combinators
 * @since 0.1.0
 */
export const look = (
  state: AlertTracking,
  readings: Iterable<Reading>,
  now: number,
  options: LookOptions = {}
): Looked => {
  const expireAfterMs = options.expireAfterMs ?? 900_000
  const tracked = new Map<string, Tracked>()
  const transitions: Array<AlertTransition> = []
  const refreshed: Array<Alert> = []
  const keep = (key: string, next: Tracked) => {
    if (next.alert !== undefined || next.warning.looks > 0 || next.critical.looks > 0) tracked.set(key, next)
  }

  const seen = new Set<string>()
  for (const reading of readings) {
    const key = keyOf(reading)
    const before = state.tracked.get(key)
    // The same measurement again tells nothing new: as if there were none.
    if (seen.has(key) || before !== undefined && reading.at <= before.at) continue
    seen.add(key)
    const { marks, value } = reading
    const { clearUpTo } = reading.hysteresis
    const verdict = judge(value, marks.warning, clearUpTo)
    const criticalVerdict = judge(value, marks.critical, clearUpTo)
    if (before === undefined && verdict !== "bad" && criticalVerdict !== "bad") continue
    const warning = turn(before?.warning ?? off, verdict, reading, now)
    const critical = turn(before?.critical ?? off, criticalVerdict, reading, now)
    const severity = severityOf({ critical, warning })
    const was = before?.alert
    const next = { subject: subjectOf(reading), warning, critical, at: reading.at, seenAt: now }
    if (severity === undefined) {
      if (was !== undefined) transitions.push(closed(was, now, "recovered"))
      keep(key, { ...next, alert: undefined })
    } else {
      // In the words of when it was bad: figures that are good again say nothing of what it is about.
      const isGood = verdict === "good" && criticalVerdict === "good"
      const { evidence, message } = was !== undefined && isGood ? was : reading.tell()
      const openedAt = was?.openedAt ?? now
      const alert: Alert = { ...next.subject, severity, openedAt, closedAt: undefined, message, evidence }
      if (was === undefined) transitions.push({ _tag: "Opened", alert })
      else if (was.severity !== severity) transitions.push({ _tag: "Changed", alert, from: was.severity })
      else if (!isGood) refreshed.push(alert)
      keep(key, { ...next, alert })
    }
  }

  for (const [key, before] of state.tracked) {
    if (seen.has(key)) continue
    const { alert } = before
    if (now - before.seenAt < expireAfterMs) tracked.set(key, before)
    else if (alert !== undefined) transitions.push(closed(alert, now, "not measured"))
  }
  return { state: { tracked }, transitions, refreshed }
}
