/** Events as plain data. Pure. */
import type * as Kafka from "@weft/kafka/ConsumerEvent"
import { TopicPartition } from "@weft/kafka/TopicPartition"
import type { ConsumerEvent, ConsumerEventType } from "../ConsumerEvent.ts"
import { kafkaFailed } from "./errors.ts"

type Tag = Kafka.ConsumerEvent["_tag"]

/** Complete by its type: an event that is added has to be named here, and then in `ConsumerEvents`. */
const types: { readonly [T in Tag]: Uncapitalize<T> & ConsumerEventType } = {
  Assigned: "assigned",
  Started: "started",
  Draining: "draining",
  Drained: "drained",
  Revoked: "revoked",
  Lost: "lost",
  Left: "left",
  Committed: "committed",
  CommitFailed: "commitFailed",
  MetadataLimited: "metadataLimited",
  Fenced: "fenced",
  BackPressure: "backPressure",
  OffsetReset: "offsetReset",
  Unsettled: "unsettled",
  Stalled: "stalled",
  StallEnded: "stallEnded",
  Crashed: "crashed",
  SettingAdapted: "settingAdapted",
  Reconfigured: "reconfigured",
  SettingsAccepted: "settingsAccepted",
  SettingsRefused: "settingsRefused"
}

const plain = (value: unknown): unknown =>
  value instanceof TopicPartition
    ? { topic: value.topic, partition: value.partition }
    : Array.isArray(value)
    ? value.map(plain)
    : value

export const eventOf = ({ _tag, ...facts }: Kafka.ConsumerEvent): ConsumerEvent => {
  const entries = Object.entries(facts).map(([name, value]) => [name, plain(value)])
  const error = "error" in facts ? { error: kafkaFailed(facts.error) } : {}
  return { type: types[_tag], ...Object.fromEntries(entries), ...error } as unknown as ConsumerEvent
}
