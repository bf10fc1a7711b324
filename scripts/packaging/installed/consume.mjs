/** Runs where the packed packages are installed: reads one record from the in-memory cluster and commits it. */
import * as Codec from "@weft/kafka/Codec"
import * as Consumer from "@weft/kafka/Consumer"
import * as ConsumerSettings from "@weft/kafka/ConsumerSettings"
import * as Subscription from "@weft/kafka/Subscription"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"

const program = Effect.gen(function*() {
  const cluster = yield* MemoryCluster.MemoryCluster
  yield* cluster.createTopic("greetings")
  yield* cluster.append("greetings", [{ key: "a", value: "hello" }])
  const consumer = yield* Consumer.make({
    subscription: Subscription.topics("greetings"),
    settings: { ...ConsumerSettings.defaults, groupId: "packed", autoOffsetReset: "earliest" }
  })
  const [record] = yield* Stream.runCollect(
    Stream.take(consumer.stream({ key: Codec.string, value: Codec.string }), 1)
  )
  yield* consumer.commit(record.offset)
  const [committed] = yield* cluster.committed("packed")
  return `${Result.getOrThrow(record.key)}=${Result.getOrThrow(record.value)}, committed ${committed.offset}`
})

const said = await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(MemoryCluster.layer)))
if (said !== "a=hello, committed 1") throw new Error(said)

// What is internal stays so.
const internal = "@weft/kafka/internal/offsetTracker"
const hidden = await import(internal).then(() => "open", (error) => error.code)
if (hidden !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw new Error(`${internal} is ${hidden}`)

console.log(`consumed ${said}`)
