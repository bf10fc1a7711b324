/** Sends what it reads to another topic: a program to measure other properties with. */
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as Codec from "@weft/kafka/Codec"
import * as Producer from "@weft/kafka/Producer"
import * as FailurePolicy from "@weft/pipeline/FailurePolicy"
import * as Pipeline from "@weft/pipeline/Pipeline"
import type { PipelineRecord } from "@weft/pipeline/PipelineRecord"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Failing, RelaySettings } from "./RelaySettings.ts"

/** The value says that it is poison; no attempt will ever succeed. */
export class PoisonError extends Data.TaggedError("PoisonError") {
  override get message(): string {
    return "the value says that it is poison"
  }
}

/** This attempt fails, by chance; another one may not. */
export class FlakyError extends Data.TaggedError("FlakyError") {
  override get message(): string {
    return "this attempt fails by chance"
  }
}

type Input = PipelineRecord<Uint8Array, Uint8Array | null>

/** Whether the value is JSON of an object with `"poison": true`. */
export const isPoison = (value: Uint8Array | null): boolean => {
  if (value === null) return false
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("utf8")
  // Most values are spared the parsing.
  if (!text.includes("\"poison\"")) return false
  try {
    return (JSON.parse(text) as { readonly poison?: unknown } | null)?.poison === true
  } catch {
    return false
  }
}

/**
 * The record for the output. It goes to the partition of the same number, where there is one, so that the order of a
 * partition can be seen in the output whatever the keys.
 */
const relayed = (settings: RelaySettings, outputPartitions: number) => (record: Input): Producer.ProducerRecord => ({
  topic: settings.output,
  partition: record.partition % outputPartitions,
  key: record.key,
  value: record.value,
  headers: {
    "source-partition": String(record.partition),
    "source-offset": String(record.offset),
    "member": settings.member
  }
})

const fail = (failing: Failing) => (record: Input): Effect.Effect<void, PoisonError | FlakyError> => {
  switch (failing._tag) {
    case "None":
      return Effect.void
    case "Poison":
      return isPoison(record.value) ? Effect.fail(new PoisonError()) : Effect.void
    case "Flaky":
      return Effect.flatMap(
        Random.next,
        (draw) => draw < failing.probability ? Effect.fail(new FlakyError()) : Effect.void
      )
  }
}

const work = ({ max, min }: RelaySettings["workMs"]): Effect.Effect<void> =>
  max === 0 ? Effect.void : Effect.flatMap(Random.nextIntBetween(min, max), Effect.sleep)

/** Poison goes to the dead letters; whatever else fails is not the record's fault, and is tried until it succeeds. */
const forever = FailurePolicy.retry({ attempts: Number.POSITIVE_INFINITY })

/** The relay as a pipeline; `outputPartitions` is how many the output topic has. */
export const make = (settings: RelaySettings, outputPartitions: number) => {
  const common = {
    service: settings.service,
    topics: [settings.input],
    value: Codec.bytes,
    deadLetter: { topic: settings.deadLetters },
    ...(settings.transport === "platformatic-consumer" && { settings: { groupProtocol: "consumer" as const } }),
    overrides: { clientId: settings.member, ...(settings.group !== undefined && { groupId: settings.group }) },
    ...(settings.concurrency !== undefined && { concurrency: settings.concurrency })
  }
  const output = relayed(settings, outputPartitions)

  // Without anything to wait for or to fail, records are sent as they come: in batches, one after the other.
  if (settings.order === "partition" && settings.workMs.max === 0 && settings.failing._tag === "None") {
    return Pipeline.make({
      ...common,
      batch: { window: "5 millis" },
      processBatch: (records): Effect.Effect<unknown, KafkaError, Producer.Producer> =>
        Producer.sendAll(records.map(output)),
      onFailure: { otherwise: forever }
    })
  }
  const working = work(settings.workMs)
  const failing = fail(settings.failing)
  return Pipeline.make({
    ...common,
    order: settings.order,
    process: (record): Effect.Effect<unknown, KafkaError | PoisonError | FlakyError, Producer.Producer> =>
      working.pipe(
        Effect.andThen(failing(record)),
        Effect.andThen(Producer.sendOne(output(record)))
      ),
    onFailure: { PoisonError: FailurePolicy.deadLetter, otherwise: forever }
  })
}
