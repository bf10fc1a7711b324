/**
 * Where the conformance suite runs: how time goes by there, and how long it is patient.
 *
 * @since 0.1.0
 */
import type { Transport } from "@weft/kafka/Transport"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import * as Fixtures from "./Fixtures.ts"

/**
 * The transport does not do what it should.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConformanceError extends Data.TaggedError("ConformanceError")<{ readonly message: string }> {}

/**
 * How time goes by where the suite runs.
 *
 * @category services
 * @since 0.1.0
 */
export class ConformanceEnv extends Context.Service<ConformanceEnv, {
  /** Lets time go by. */
  readonly pass: (duration: Duration.Input) => Effect.Effect<void>
  /** Runs an effect that may need time to go by. */
  readonly drive: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** How long the suite waits for what must happen, in milliseconds. */
  readonly patienceMs: number
}>()("@weft/testing/ConformanceEnv") {}

/**
 * Under `TestClock`: the suite moves it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerTestClock: Layer.Layer<ConformanceEnv> = Layer.succeed(ConformanceEnv, {
  pass: TestClock.adjust,
  drive: Fixtures.driving,
  patienceMs: 60_000
})

/**
 * On the live clock, for real brokers.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerLive: Layer.Layer<ConformanceEnv> = Layer.succeed(ConformanceEnv, {
  pass: Effect.sleep,
  drive: (effect) => effect,
  patienceMs: 60_000
})

/**
 * @category models
 * @since 0.1.0
 */
export interface Behaviour {
  readonly name: string
  /** Of the classic group protocol alone: in that of KIP-848 it is the broker that says how long sessions last. */
  readonly onlyClassic: boolean
  /** Fails with a `ConformanceError`, or with whatever the transport failed with. */
  readonly run: Effect.Effect<void, unknown, Transport | ConformanceEnv>
}
