/** What dead letters say, for people and for programs. Pure. */
import type { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import type { Header } from "@weft/kafka/FetchedBatch"
import * as DeadLetter from "@weft/pipeline/DeadLetter"

/** A dead letter: where it lies, and what its headers say; `undefined` for a record that only lies beside them. */
export interface Letter {
  readonly record: ConsumerRecord
  readonly info: DeadLetter.DeadLetterInfo | undefined
}

export const letterOf = (record: ConsumerRecord): Letter => ({ record, info: DeadLetter.read(record) })

/** Weft's own suffix, and that of Spring. */
export const isDeadLetterTopic = (topic: string): boolean => /[.-](?:dlq|dlt)$/i.test(topic)

/** Dead letters that failed for the same reason. */
export interface Cause {
  readonly exception: string
  readonly topic: string
  readonly count: number
  /** When the first and the last was written: milliseconds since 1970. */
  readonly first: number
  readonly last: number
  /** Of the last one. */
  readonly message: string
  readonly example: string
}

export const noReason = "(no reason given)"

export const byCause = (letters: Iterable<Letter>): ReadonlyArray<Cause> => {
  const causes = new Map<string, Cause>()
  for (const { info, record } of letters) {
    const exception = info === undefined || info.exception === "" ? noReason : info.exception
    const topic = info?.topic ?? record.topic
    const key = JSON.stringify([exception, topic])
    const known = causes.get(key)
    const isLast = known === undefined || record.timestamp >= known.last
    causes.set(key, {
      exception,
      topic,
      count: (known?.count ?? 0) + 1,
      first: Math.min(known?.first ?? Infinity, record.timestamp),
      last: Math.max(known?.last ?? -Infinity, record.timestamp),
      message: isLast ? info?.message ?? "" : known.message,
      example: isLast ? `${record.partition}@${record.offset}` : known.example
    })
  }
  return [...causes.values()].sort((a, b) => b.count - a.count || (a.exception < b.exception ? -1 : 1))
}

const decoder = new TextDecoder("utf-8", { fatal: true })

/** Bytes as text where they are text, else in base64. */
export const bytesJson = (
  bytes: Uint8Array | null | undefined
): { readonly text: string } | { readonly base64: string } | null => {
  if (bytes === null || bytes === undefined) return null
  try {
    return { text: decoder.decode(bytes) }
  } catch {
    return { base64: Buffer.from(bytes).toString("base64") }
  }
}

/** The same on one line of a table. */
export const bytesText = (bytes: Uint8Array | null | undefined, most = Infinity): string => {
  const json = bytesJson(bytes)
  if (json === null) return "null"
  const text = "text" in json ? json.text : `base64:${json.base64}`
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}

/** The record's own headers: without those that say why it is a dead letter. */
export const ownHeaders = (record: ConsumerRecord): ReadonlyArray<Header> =>
  record.headers.filter(({ name }) => !name.startsWith("kafka_dlt-") && name !== DeadLetter.headerNames.deliveryAttempt)

export const letterJson = ({ info, record }: Letter) => ({
  topic: record.topic,
  partition: record.partition,
  offset: record.offset,
  timestamp: record.timestamp,
  key: bytesJson(record.key),
  value: bytesJson(record.value),
  headers: ownHeaders(record).map(({ name, value }) => ({ name, value: bytesJson(value) })),
  original: info === undefined ? null : {
    topic: info.topic,
    partition: info.partition,
    offset: info.offset,
    timestamp: info.timestamp,
    consumerGroup: info.consumerGroup
  },
  failure: info === undefined ? null : {
    exception: info.exception,
    cause: info.exceptionCause ?? null,
    message: info.message,
    stacktrace: info.stacktrace,
    attempts: info.attempts
  }
})
