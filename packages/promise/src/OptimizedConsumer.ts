/**
 * A consumer whose settings come from the database, for programs without Effect.
 *
 * ```ts
 * const consumer = await createOptimizedConsumer<Location>({
 *   database: "postgres://loom:loom@localhost:5432/loom",
 *   service: "my-service",
 *   topics: ["my.topic"],
 *   brokers: "localhost:9092"
 * })
 * await consumer.run({ eachRecord: (record) => handle(record.value) })
 * ```
 *
 * @since 0.1.0
 */
import type { ConsumerConfig } from "./ConsumerConfig.ts"
import type { ConsumerEvent, ConsumerEvents, ConsumerEventType, PartitionOffset } from "./ConsumerEvent.ts"
import type { ConsumerOptions } from "./ConsumerOptions.ts"
import type { Health, Lag, Totals } from "./ConsumerState.ts"
import type { Handlers, RunOptions } from "./Handlers.ts"
import { Engine } from "./internal/engine.ts"
import type { SendOptions, SendValue } from "./Sending.ts"
import type { HeldRecord } from "./WeftRecord.ts"

/**
 * A consumer. It does nothing before {@link run} or a loop; it can do one of them, once.
 *
 * Offsets are committed for settled records only: handled, skipped by a policy, or written to the dead-letter topic.
 * Whatever else happens, a record comes again.
 *
 * @category consumers
 * @since 0.1.0
 */
export class OptimizedConsumer<V, K = string> implements AsyncIterable<HeldRecord<V, K>>, AsyncDisposable {
  readonly #engine: Engine<V, K>
  /** @internal */
  constructor(engine: unknown) {
    this.#engine = engine as Engine<V, K>
  }

  /** The settings as they are now, with where each comes from; changes of the row are followed while it runs. */
  get config(): ConsumerConfig {
    return this.#engine.config
  }

  /**
   * Handles records until the consumer is closed, the signal is aborted or the process is told to end (`stopOn`), and
   * answers when it has left its group. Rejects with a `HaltedError` where a policy says so, and with a
   * `KafkaFailedError` where a person must mend something or the restarts are used up.
   */
  run(options: Handlers<V, K> & RunOptions): Promise<void> {
    return this.#engine.run(options, options.signal)
  }

  /**
   * The records, one at a time. Each is settled when the loop asks for the next one; `record.commit()` settles it sooner,
   * `record.reject(error)` hands it to the failure policies. Leaving the loop (`break`, an exception) closes the
   * consumer, and the record at hand comes again unless it was committed.
   */
  [Symbol.asyncIterator](): AsyncIterator<HeldRecord<V, K>, void, undefined> {
    return this.#engine.iterate("automatic")
  }

  /**
   * The records in a loop that says itself when each is done: `record.commit()` or `record.reject(error)`, in any order;
   * every record needs one of them. Up to `maxInFlight` records (default 256) may be open at the same time. Leaving the
   * loop closes the consumer, which waits for open records up to the drain deadline, as it does for handlers.
   */
  records(options: { readonly commit: "automatic" | "manual" }): AsyncIterable<HeldRecord<V, K>> {
    return { [Symbol.asyncIterator]: () => this.#engine.iterate(options.commit) }
  }

  /**
   * Writes a record and answers where it is once the broker has acknowledged it. Works from the moment the consumer is
   * made until it is closed.
   */
  send(topic: string, value: SendValue, options?: SendOptions): Promise<PartitionOffset> {
    return this.#engine.send(topic, value, options)
  }

  /** Calls the listener for each event of a type; answers a function that ends that. */
  on<T extends ConsumerEventType>(
    type: T,
    listener: (event: { readonly type: T } & ConsumerEvents[T]) => void
  ): () => void {
    return this.#engine.listen((event: ConsumerEvent) => {
      if (event.type === type) listener(event as unknown as { readonly type: T } & ConsumerEvents[T])
    })
  }

  get health(): Health {
    return this.#engine.health
  }

  get totals(): Totals {
    return this.#engine.totals
  }

  get lag(): ReadonlyArray<Lag> {
    return this.#engine.lag
  }

  /**
   * Stops fetching, lets handlers finish up to the drain deadline, commits, leaves the group, and closes all connections.
   * Answers when that is done; called from inside of a handler, which it would have to wait for, at once. Doing it twice
   * does nothing more.
   */
  close(): Promise<void> {
    return this.#engine.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Reads the settings of the service and makes a consumer. A database that is away, a missing row, values that cannot be:
 * none of it rejects (see `consumer.config.issues`). Options that cannot be used reject with an `InvalidOptionError`.
 *
 * @category consumers
 * @since 0.1.0
 */
export const createOptimizedConsumer = <V = unknown, K = string>(
  options: ConsumerOptions<V, K>
): Promise<OptimizedConsumer<V, K>> => Engine.make(options).then((engine) => new OptimizedConsumer<V, K>(engine))
