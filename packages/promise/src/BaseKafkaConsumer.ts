/**
 * A consumer as a class to extend, for those who come from Loom's Python classes.
 *
 * ```ts
 * class GeoregionConsumer extends BaseKafkaConsumer<GeocodedLocation> {
 *   override async processMessage(record: WeftRecord<GeocodedLocation>) {
 *     for (const detection of await this.detector.detect(record.value)) {
 *       await this.sendToTopic("location.georegion.detected", detection)
 *     }
 *   }
 * }
 * ```
 *
 * @since 0.1.0
 */
import type { ConsumerConfig } from "./ConsumerConfig.ts"
import type { PartitionOffset } from "./ConsumerEvent.ts"
import type { ConsumerOptions } from "./ConsumerOptions.ts"
import type { Health, Lag, Totals } from "./ConsumerState.ts"
import type { HandlerContext, RunOptions } from "./Handlers.ts"
import { createOptimizedConsumer, type OptimizedConsumer } from "./OptimizedConsumer.ts"
import type { SendOptions, SendValue } from "./Sending.ts"
import { ConsumerStateError } from "./WeftError.ts"
import type { WeftRecord } from "./WeftRecord.ts"

/**
 * Extend it with `processMessage`. Metrics and lag are recorded, failures retried and then written to the dead-letter
 * topic, offsets committed when records are settled, by themselves.
 *
 * @category consumers
 * @since 0.1.0
 */
export abstract class BaseKafkaConsumer<V = unknown, K = string> {
  readonly #options: ConsumerOptions<V, K>
  #consumer: Promise<OptimizedConsumer<V, K>> | undefined
  #started: OptimizedConsumer<V, K> | undefined
  constructor(options: ConsumerOptions<V, K>) {
    this.#options = options
  }

  /**
   * Handles one record; it is settled when this is done. What it throws goes to the failure policies.
   */
  abstract processMessage(record: WeftRecord<V, K>, context: HandlerContext): Promise<unknown> | void

  /** Writes a record to a topic; answers once the broker has acknowledged it. */
  sendToTopic(topic: string, value: SendValue, options?: SendOptions): Promise<PartitionOffset> {
    return this.#make().then((consumer) => consumer.send(topic, value, options))
  }

  /** Reads the settings. {@link run} does it as well where it was not done. */
  start(): Promise<void> {
    return this.#make().then(() => undefined)
  }

  /** Handles records until it is stopped; see `OptimizedConsumer.run`. */
  run(options: RunOptions = {}): Promise<void> {
    return this.#make().then((consumer) =>
      consumer.run({ ...options, eachRecord: (record, context) => this.processMessage(record, context) })
    )
  }

  /** Ends in order; see `OptimizedConsumer.close`. */
  stop(): Promise<void> {
    return this.#consumer === undefined ? Promise.resolve() : this.#consumer.then((consumer) => consumer.close())
  }

  /** The consumer underneath, once started. */
  get consumer(): OptimizedConsumer<V, K> {
    if (this.#started === undefined) {
      throw new ConsumerStateError("CLOSED", "the consumer was not started: call start()")
    }
    return this.#started
  }

  /** The settings, once started. */
  get config(): ConsumerConfig {
    return this.consumer.config
  }

  get health(): Health {
    return this.consumer.health
  }

  get totals(): Totals {
    return this.consumer.totals
  }

  get lag(): ReadonlyArray<Lag> {
    return this.consumer.lag
  }

  #make(): Promise<OptimizedConsumer<V, K>> {
    this.#consumer ??= createOptimizedConsumer(this.#options).then(
      (consumer) => {
        this.#started = consumer
        return consumer
      },
      (error: unknown) => {
        this.#consumer = undefined
        throw error
      }
    )
    return this.#consumer
  }
}
