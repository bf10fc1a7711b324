/** A producer that is made when the first record is sent. */
import type { KafkaError } from "@weft/kafka/KafkaError"
import * as Producer from "@weft/kafka/Producer"
import type { PartitionOffset } from "@weft/kafka/TopicPartition"
import type { Transport } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { SendOptions, SendValue } from "../Sending.ts"
import { InvalidOptionError } from "../WeftError.ts"

const bytesOf = (value: SendValue): Effect.Effect<Uint8Array | string | null, InvalidOptionError> => {
  if (value === null || typeof value === "string" || value instanceof Uint8Array) return Effect.succeed(value)
  const refuse = (reason: string) => new InvalidOptionError("value", `cannot be written as JSON: ${reason}`)
  return Effect.try({
    try: () => JSON.stringify(value) as string | undefined,
    catch: (error) => refuse(error instanceof Error ? error.message : String(error))
  }).pipe(Effect.filterOrFail((json) => json !== undefined, () => refuse(`it is ${typeof value}`)))
}

export type Send = (
  topic: string,
  value: SendValue,
  options: SendOptions | undefined
) => Effect.Effect<PartitionOffset, KafkaError | InvalidOptionError, Transport>

/** The producer lives in the scope. What cannot connect now is tried again with the next record. */
export const make = (clientId: string, scope: Scope.Scope): Send => {
  const one = Semaphore.makeUnsafe(1)
  let made: Producer.Producer["Service"] | undefined
  const producer = one.withPermit(Effect.suspend(() =>
    made === undefined
      ? Effect.tap(Scope.provide(Producer.make({ clientId }), scope), (producer) =>
        Effect.sync(() => {
          made = producer
        }))
      : Effect.succeed(made)
  ))
  return (topic, value, options = {}) =>
    Effect.gen(function*() {
      const bytes = yield* bytesOf(value)
      const { send } = made ?? (yield* producer)
      return yield* send({ ...options, topic, value: bytes })
    })
}
