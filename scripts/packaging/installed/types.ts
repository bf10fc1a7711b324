/** Compiled where the packed packages are installed: their declarations must hold by themselves, under the strictest settings. */
import * as Weft from "@weft/kafka"
import type { CommittableRecord } from "@weft/kafka/Consumer"
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Result from "effect/Result"

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

export const consumer: Layer.Layer<Weft.Consumer.Consumer, never, Weft.Transport.Transport> = Weft.Consumer.layer({
  subscription: Weft.Subscription.topics("greetings"),
  settings: { ...Weft.ConsumerSettings.defaults, groupId: "packed" }
})

export const cluster: Layer.Layer<MemoryCluster.MemoryCluster | Weft.Transport.Transport> = MemoryCluster.layer

// Declarations that fell back to any would pass the lines above, but not these.
export const value: Same<
  CommittableRecord<string, number>["value"],
  Result.Result<number | null, Weft.Codec.DecodeError>
> = true
export const flush: Same<Weft.Consumer.Consumer["Service"]["flush"], Effect.Effect<void, Weft.KafkaError.KafkaError>> =
  true
