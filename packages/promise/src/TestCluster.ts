/**
 * A Kafka in memory, for tests of consumers: no broker, no network, the rules of consumer groups as they are.
 *
 * ```ts
 * const cluster = await createTestCluster({ topics: { orders: 4 } })
 * await cluster.append("orders", [{ key: "a", value: JSON.stringify({ id: 1 }) }])
 * const consumer = await createOptimizedConsumer({ connection: cluster.connection, service: "s", topics: ["orders"] })
 * ```
 *
 * @since 0.1.0
 */
import * as MemoryCluster from "@weft/testing/MemoryCluster"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Connection } from "./Connection.ts"
import type { PartitionOffset } from "./ConsumerEvent.ts"
import { kafkaFailed } from "./internal/errors.ts"
import { connectionTo } from "./internal/transports.ts"
import type { RecordHeader } from "./WeftRecord.ts"

/**
 * A record to append by hand; text becomes UTF-8.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestRecord {
  /** Default 0. */
  readonly partition?: number | undefined
  readonly key?: Uint8Array | string | null | undefined
  readonly value?: Uint8Array | string | null | undefined
  readonly headers?: ReadonlyArray<RecordHeader> | undefined
  /** Milliseconds since 1970. Default: now. */
  readonly timestamp?: number | undefined
}

/**
 * A record as it lies in the log.
 *
 * @category models
 * @since 0.1.0
 */
export interface StoredTestRecord extends PartitionOffset {
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: ReadonlyArray<RecordHeader>
}

/**
 * @category models
 * @since 0.1.0
 */
export interface TestCluster extends AsyncDisposable {
  /** For `createOptimizedConsumer`. */
  readonly connection: Connection
  /** Creates a topic; does nothing where it exists. */
  readonly createTopic: (name: string, partitions?: number) => Promise<void>
  /** Writes records; answers where they are. */
  readonly append: (topic: string, records: ReadonlyArray<TestRecord>) => Promise<ReadonlyArray<PartitionOffset>>
  /** All records of a topic, by partition and offset. */
  readonly records: (topic: string) => Promise<ReadonlyArray<StoredTestRecord>>
  /** The offsets that a group has committed: the next to be read. */
  readonly committed: (groupId: string) => Promise<ReadonlyArray<PartitionOffset>>
  /** The client libraries of a group's members die, as by a crash. */
  readonly crash: (groupId: string) => Promise<void>
  /** Ends it, after the consumers on it. */
  readonly close: () => Promise<void>
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const createTestCluster = (options: {
  /** Topics that are there from the beginning, with their numbers of partitions. */
  readonly topics?: Readonly<Record<string, number>> | undefined
  /** `group.min.session.timeout.ms`: lower than Kafka's 6000, a test of a crash need not wait as long. */
  readonly minSessionTimeoutMs?: number | undefined
} = {}): Promise<TestCluster> => {
  const scope = Scope.makeUnsafe()
  const close = () => Effect.runPromise(Scope.close(scope, Exit.void))
  return Effect.runPromise(Effect.map(Scope.provide(MemoryCluster.make(options), scope), (cluster): TestCluster => ({
    connection: connectionTo(cluster.transport),
    createTopic: (name, partitions) => Effect.runPromise(cluster.createTopic(name, { partitions })),
    append: (topic, records) => Effect.runPromise(Effect.mapError(cluster.append(topic, records), kafkaFailed)),
    records: (topic) => Effect.runPromise(Effect.mapError(cluster.records(topic), kafkaFailed)),
    committed: (groupId) =>
      Effect.runPromise(
        Effect.map(cluster.committed(groupId), (all) =>
          all.flatMap(({ offset, partition, topic }) =>
            offset === undefined ? [] : [{ topic, partition, offset }]
          ))
      ),
    crash: (groupId) => Effect.runPromise(cluster.crash({ groupId })),
    close,
    [Symbol.asyncDispose]: close
  })))
}
