/**
 * What every transport does, as data: a list of named behaviours of the SPI. The same list runs on the in-memory cluster
 * under the test clock and on real Kafka; a transport that does not pass it is none.
 *
 * ```ts
 * for (const { name, run } of Conformance.behaviours) {
 *   it.effect(name, () => run.pipe(Effect.provide([MemoryCluster.layer, Conformance.layerTestClock])))
 *   it.live(name, () => run.pipe(Effect.provide([KafkaJs.layer({ brokers }), Conformance.layerLive])), 60_000)
 * }
 * ```
 *
 * @since 0.1.0
 */
import type { Behaviour } from "./ConformanceEnv.ts"
import { around } from "./internal/conformance/around.ts"
import { committing } from "./internal/conformance/committing.ts"
import { delivering } from "./internal/conformance/delivering.ts"
import { failing } from "./internal/conformance/failing.ts"
import { manual } from "./internal/conformance/manual.ts"
import { pausing } from "./internal/conformance/pausing.ts"
import { rebalancing } from "./internal/conformance/rebalancing.ts"
import { starting } from "./internal/conformance/starting.ts"

export {
  /**
   * @category models
   * @since 0.1.0
   */
  type Behaviour,
  /**
   * @category services
   * @since 0.1.0
   */
  ConformanceEnv,
  /**
   * @category errors
   * @since 0.1.0
   */
  ConformanceError,
  /**
   * @category layers
   * @since 0.1.0
   */
  layerLive,
  /**
   * @category layers
   * @since 0.1.0
   */
  layerTestClock
} from "./ConformanceEnv.ts"

/**
 * Everything that a transport must do.
 *
 * @category suites
 * @since 0.1.0
 */
export const behaviours: ReadonlyArray<Behaviour> = [
  ...starting,
  ...delivering,
  ...pausing,
  ...committing,
  ...rebalancing,
  ...manual,
  ...failing,
  ...around
]
