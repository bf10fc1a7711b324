/** Alerts as messages that Slack, and whatever understands its incoming webhooks, shows. Pure. */
import { type AlertState, stateOf, type StoredAlert } from "../Alert.ts"
import { adviceOf } from "../AlertRules.ts"

interface Attachment {
  readonly color: string
  readonly fallback: string
  readonly title: string
  readonly text: string
  readonly fields: ReadonlyArray<{ readonly title: string; readonly value: string; readonly short: boolean }>
  readonly footer: string
  /** Seconds since 1970. */
  readonly ts: number
}

export interface SlackMessage {
  readonly text: string
  readonly attachments: ReadonlyArray<Attachment>
}

/** Slack shows up to a hundred, and people read few. */
const attachmentsMax = 20
const textMax = 2_000
const partitionsMax = 20

const colors: { readonly [S in AlertState]: string } = { critical: "#c0392b", warning: "#e6a700", closed: "#2e8b57" }

/** The three characters by which Slack knows links and mentions: names come from others. */
const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const shortened = (text: string): string => text.length <= textMax ? text : `${text.slice(0, textMax - 1)}…`

const shown = (text: string): string => escaped(shortened(text))

const minutesBetween = (from: number, to: number): string => {
  const minutes = Math.max(0, Math.round((to - from) / 60_000))
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}

/** Many partitions in the same trouble are one thing to read. */
const groupOf = (alert: StoredAlert): string =>
  JSON.stringify([alert.service, alert.kind, alert.topic ?? null, stateOf(alert)])

const partitionsOf = (alerts: ReadonlyArray<StoredAlert>): string => {
  const partitions = alerts.flatMap(({ partition }) => partition ?? []).sort((a, b) => a - b)
  const more = partitions.length - partitionsMax
  return partitions.slice(0, partitionsMax).join(", ") + (more > 0 ? ` and ${more} more` : "")
}

/** Why it is over, and how long it took. */
const ended = ({ closedAt, closedBecause, openedAt }: StoredAlert): string =>
  `${closedBecause ?? "recovered"}, after ${minutesBetween(openedAt, closedAt ?? openedAt)}`

const attachment = (alerts: ReadonlyArray<StoredAlert>): Attachment => {
  const first = alerts[0]!
  const state = stateOf(first)
  const partitions = partitionsOf(alerts)
  const title = state === "closed" ? `closed: ${first.kind} (${ended(first)})` : `${state}: ${first.kind}`
  const others = alerts.length > 1 ? ` (and ${alerts.length - 1} more partitions like it)` : ""
  const advice = state === "closed" ? undefined : adviceOf(first.kind)
  const field = (name: string, value: string) => ({ title: name, value: shown(value), short: true })
  return {
    color: colors[state],
    fallback: shown(`${title}: ${first.message}`),
    title: shown(title),
    text: shown(first.message + others) + (advice === undefined ? "" : `\n${escaped(advice)}`),
    fields: [
      field("Service", first.service),
      ...(first.topic === undefined ? [] : [field("Topic", first.topic)]),
      ...(partitions === "" ? [] : [field(alerts.length === 1 ? "Partition" : "Partitions", partitions)])
    ],
    footer: "weft",
    ts: Math.floor((first.closedAt ?? first.openedAt) / 1_000)
  }
}

const counted = (n: number, what: string): ReadonlyArray<string> => n === 0 ? [] : [`${n} ${what}`]

const summary = (groups: ReadonlyArray<ReadonlyArray<StoredAlert>>): string => {
  const first = groups[0]![0]!
  if (groups.length === 1) {
    return shown(
      first.closedAt === undefined
        ? `[${first.severity}] ${first.message}`
        : `[closed] ${ended(first)}; it was: ${first.message}`
    )
  }
  const of = (state: AlertState) => groups.filter((group) => stateOf(group[0]!) === state).length
  const parts = [
    ...counted(of("critical"), "critical"),
    ...counted(of("warning"), "warning"),
    ...counted(of("closed"), "closed")
  ]
  const services = [...new Set(groups.map((group) => group[0]!.service))].slice(0, 10)
  return shown(`Alerts: ${parts.join(", ")} (${services.join(", ")})`)
}

/** One attachment for each thing that happened, twenty in a message, the worst first. */
export const slackMessages = (alerts: ReadonlyArray<StoredAlert>): ReadonlyArray<SlackMessage> => {
  const order: ReadonlyArray<AlertState> = ["critical", "warning", "closed"]
  const groups = [...Map.groupBy(alerts, groupOf).values()]
    .sort((a, b) => order.indexOf(stateOf(a[0]!)) - order.indexOf(stateOf(b[0]!)))
  return Array.from({ length: Math.ceil(groups.length / attachmentsMax) }, (_, i) => {
    const some = groups.slice(i * attachmentsMax, (i + 1) * attachmentsMax)
    return { text: summary(some), attachments: some.map(attachment) }
  })
}
