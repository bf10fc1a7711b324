/**
 * Log lines of events that came together. Partitions that begin alike are one line: a member of a thousand would write two
 * thousand, and nobody would read them.
 */
import * as Effect from "effect/Effect"
import { type ConsumerEvent, describe } from "../ConsumerEvent.ts"

interface LogLine {
  readonly level: "Debug" | "Info" | "Warn" | "Error"
  readonly message: string
  readonly annotations: Readonly<Record<string, string | number>>
}

const lineOf = (event: ConsumerEvent): LogLine => {
  const annotations: Record<string, string | number> = { event: event._tag }
  if ("topic" in event) annotations["topic"] = event.topic
  if ("partition" in event) annotations["partition"] = event.partition
  if ("offset" in event) annotations["offset"] = String(event.offset)
  return { ...describe(event), annotations }
}

type Alike = Extract<ConsumerEvent, { readonly _tag: "Started" | "OffsetReset" }>

/** The same for those that may share a line; `undefined`: it has something of its own to say. */
const sharedBy = (event: ConsumerEvent): string | undefined => {
  if (event._tag === "Started") return event.settledBeyond === 0 ? `Started ${event.from}` : undefined
  // A group that begins; an offset that the log has lost is a warning of its own.
  if (event._tag === "OffsetReset") return event.committed === undefined ? `OffsetReset ${event.policy}` : undefined
  return undefined
}

const lineOfAll = (events: ReadonlyArray<Alike>): LogLine => {
  const [first] = events as readonly [Alike, ...Array<Alike>]
  const places = events.map((one) => `${one.topic}-${one.partition}${one._tag === "Started" ? `@${one.offset}` : ""}`)
    .join(", ")
  const message = first._tag === "Started"
    ? `reading ${events.length} partitions (${first.from}): ${places}`
    : `the group has no committed offset of ${events.length} partitions: ${places}; auto_offset_reset is ${first.policy}`
  return { level: describe(first).level, message, annotations: { event: first._tag } }
}

export const logLines = (events: ReadonlyArray<ConsumerEvent>): ReadonlyArray<LogLine> => {
  const lines: Array<LogLine> = []
  for (let from = 0; from < events.length;) {
    const shared = sharedBy(events[from]!)
    let to = from + 1
    while (shared !== undefined && to < events.length && sharedBy(events[to]!) === shared) to++
    lines.push(to === from + 1 ? lineOf(events[from]!) : lineOfAll(events.slice(from, to) as ReadonlyArray<Alike>))
    from = to
  }
  return lines
}

export const log = (events: ReadonlyArray<ConsumerEvent>): Effect.Effect<void> =>
  Effect.forEach(
    logLines(events),
    ({ annotations, level, message }) => Effect.annotateLogs(Effect.logWithLevel(level)(message), annotations),
    { discard: true }
  )
