/** What is configured, held against what the brokers accept and have. Pure. */
import * as ConfigIssue from "@weft/config/ConfigIssue"
import type { Resolved } from "@weft/config/Resolution"
import { isWrong } from "../issues.ts"
import { type Finding, of } from "./finding.ts"
import type { Brokers } from "./kafka.ts"

const finding = of("services")

const refused = ({ issues, service }: Resolved): ReadonlyArray<Finding> => {
  const wrong = issues.filter(isWrong)
  return wrong.length === 0 ? [] : [
    finding(
      service,
      "warning",
      wrong.map(ConfigIssue.message).join("; "),
      `weft config explain ${service} shows what holds instead; weft config set ${service} ... mends it`
    )
  ]
}

const session = ({ config, service }: Resolved, settings: Brokers["settings"]): ReadonlyArray<Finding> => {
  const min = Number(settings.get("group.min.session.timeout.ms") ?? 0)
  const max = Number(settings.get("group.max.session.timeout.ms") ?? Infinity)
  const { sessionTimeoutMs } = config
  return sessionTimeoutMs >= min && sessionTimeoutMs <= max ? [] : [
    finding(
      service,
      "warning",
      `session_timeout_ms of ${sessionTimeoutMs} is not within the brokers' ${min} to ${max}`,
      `weft config set ${service} session_timeout_ms=${
        sessionTimeoutMs < min ? min : max
      }; until then its consumers fall back`
    )
  ]
}

/** Topics that a service was seen to read. */
export interface Read {
  readonly service: string
  readonly topic: string
}

const topics = (read: ReadonlyArray<Read>, existing: ReadonlySet<string>): ReadonlyArray<Finding> =>
  read.flatMap(({ service, topic }) =>
    existing.has(topic) ? [] : [
      finding(
        service,
        "failure",
        `its topic ${topic} does not exist`,
        "create it, or take it out of the service's subscription"
      )
    ]
  )

/** `brokers` is `undefined` where they could not be asked. */
export const examine = (
  configured: ReadonlyArray<Resolved>,
  read: ReadonlyArray<Read>,
  brokers: Brokers | undefined
): ReadonlyArray<Finding> => {
  const found = [
    ...configured.flatMap(refused),
    ...brokers === undefined ? [] : configured.flatMap((one) => session(one, brokers.settings)),
    ...brokers === undefined ? [] : topics(read, brokers.topics)
  ]
  const missing = brokers === undefined
    ? []
    : [...new Set(read.map(({ topic }) => `${topic}.dlq`))].filter((topic) => !brokers.topics.has(topic))
  return [
    ...found.length === 0
      ? [finding("configurations", "ok", `${configured.length} rows, nothing refused`)]
      : found,
    ...missing.length === 0 ? [] : [
      finding("dead-letter topics", "ok", `not there yet, made with the first dead letter: ${missing.join(", ")}`)
    ]
  ]
}
