/** Weft's producer on either transport, as it comes: idempotent. */
import * as Producer from "@weft/kafka/Producer"
import type { Transport } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { InvalidSettingError } from "@weft/kafka/KafkaError"
import type { Contender, Task } from "./Contender.ts"
import { makeSizes, type Sends, sendsUnderWay } from "./sends.ts"
import { checkWritten } from "./writing.ts"

const running = (
  sends: Sends,
  transport: (task: Task) => Layer.Layer<Transport, InvalidSettingError>
): Contender =>
(task, progress) =>
  Effect.gen(function*() {
    const producer = yield* Producer.Producer
    const value = Buffer.alloc(task.bytes, "x")
    const record = () => ({ topic: task.topic, value })
    const next = makeSizes(task.records, sends)
    const writing = Effect.gen(function*() {
      for (let size = next(); size > 0; size = next()) {
        yield* size === 1
          ? producer.send(record())
          : producer.sendAll(Array.from({ length: size }, record))
        progress.seen(size, size * task.bytes)
      }
    })
    yield* Effect.all(Array.from({ length: sendsUnderWay(sends) }, () => writing), {
      concurrency: "unbounded",
      discard: true
    })
  }).pipe(
    Effect.provide(Producer.layer().pipe(Layer.provide(transport(task)))),
    Effect.andThen(Effect.promise(() => checkWritten(task))),
    Effect.runPromise
  )

export const onKafkajs = (sends: Sends): Contender => running(sends, ({ brokers }) => KafkaJs.layer({ brokers }))

export const onPlatformatic = (sends: Sends): Contender =>
  running(sends, ({ brokers }) => Platformatic.layer({ brokers }))
