/** Writes dead letters and awaits their acknowledgement. The producer is made when the first is needed. */
import { DecodeError } from "@weft/kafka/Codec"
import type { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import { isRetriable, type KafkaError } from "@weft/kafka/KafkaError"
import * as Producer from "@weft/kafka/Producer"
import { Transport } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type DeadLetterInfo, headers } from "../DeadLetter.ts"
import type { DeadLetterOptions } from "../PipelineOptions.ts"
import { causeOf, describe, type Failure, kindOf } from "./failure.ts"

export interface DeadLetters {
  readonly topicOf: (topic: string) => string
  /** Succeeds once the broker has acknowledged the dead letter. */
  readonly send: (record: ConsumerRecord, failure: Failure, attempts: number) => Effect.Effect<void, KafkaError>
}

const defaultStackTraceLimit = 8_192

export const make = Effect.fnUntraced(function*(options: {
  readonly deadLetter: DeadLetterOptions
  readonly group: () => string
  readonly clientId: () => string
}): Effect.fn.Return<DeadLetters, never, Transport | Scope.Scope> {
  const { deadLetter } = options
  const transport = yield* Transport
  const scope = yield* Scope.Scope
  const turn = yield* Semaphore.make(1)
  let producer: Producer.Producer["Service"] | undefined
  /** How many partitions each dead-letter topic has. */
  const counts = new Map<string, number>()

  // Not `Effect.cached`: a failure must not be remembered.
  const getProducer = turn.withPermits(1)(Effect.suspend(() =>
    producer !== undefined
      ? Effect.succeed(producer)
      : Producer.make({ clientId: `${options.clientId()}-dead-letters` }).pipe(
        Effect.provideService(Scope.Scope, scope),
        Effect.provideService(Transport, transport),
        Effect.tap((made) =>
          Effect.sync(() => {
            producer = made
          })
        )
      )
  ))

  const { topic: named } = deadLetter
  const topicOf = (topic: string): string =>
    named === undefined ? `${topic}.dlq` : typeof named === "string" ? named : named(topic)

  /** The partitions of a dead-letter topic, which is created where it is missing. */
  const partitionsOf = (name: string, source: string): Effect.Effect<number, KafkaError> =>
    turn.withPermits(1)(Effect.suspend(() => {
      const known = counts.get(name)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.scoped(Effect.gen(function*() {
        const admin = yield* transport.admin
        const count = (topic: string) =>
          Effect.map(admin.describeTopics([topic]), ([description]) => description?.partitions.length ?? 0)
        const found = yield* count(name).pipe(Effect.catchTag("UnknownTopicError", () => Effect.succeed(0)))
        if (found > 0) return found
        if (deadLetter.create === false) return yield* count(name)
        const partitions = yield* count(source)
        yield* admin.createTopics([{ name, partitions, replicationFactor: deadLetter.replicationFactor }])
        yield* Effect.logInfo(`created the dead-letter topic ${name} with ${partitions} partitions`)
        return yield* count(name)
      })).pipe(Effect.tap((found) => Effect.sync(() => counts.set(name, found))))
    }))

  const send = Effect.fnUntraced(function*(record: ConsumerRecord, failure: Failure, attempts: number) {
    const topic = topicOf(record.topic)
    const partitions = yield* partitionsOf(topic, record.topic)
    const writer = yield* getProducer
    const info = infoOf(record, failure, attempts)
    const write = (why: DeadLetterInfo) =>
      writer.send({
        topic,
        partition: record.partition % Math.max(1, partitions),
        key: record.key,
        value: record.value,
        headers: headers(record.headers, why)
      })
    yield* write(info).pipe(
      // The record itself went through a topic like this one: what does not fit is what was added to it.
      Effect.catchIf(isTooLarge, () => write({ ...info, message: "", stacktrace: "" })),
      // The topic may have been deleted, or made anew with fewer partitions.
      Effect.tapError((error) => Effect.sync(() => isRetriable(error) ? undefined : counts.delete(topic)))
    )
  })

  const limit = deadLetter.stackTraceLimit ?? defaultStackTraceLimit
  const infoOf = (record: ConsumerRecord, failure: Failure, attempts: number): DeadLetterInfo => {
    const { error } = failure
    const cause = causeOf(error)
    return {
      topic: record.topic,
      partition: record.partition,
      offset: record.offset,
      timestamp: record.timestamp,
      timestampType: record.timestampType,
      consumerGroup: options.group(),
      exception: kindOf(error),
      exceptionCause: cause === undefined ? undefined : kindOf(cause),
      message: (error instanceof DecodeError ? error.message : describe(failure)).slice(0, limit),
      stacktrace: failure.stack.slice(0, limit),
      attempts
    }
  }

  return { topicOf, send }
})

const isTooLarge = (error: KafkaError): boolean =>
  error._tag === "ProduceError" && (error.code === "MESSAGE_TOO_LARGE" || error.code === "RECORD_LIST_TOO_LARGE")
