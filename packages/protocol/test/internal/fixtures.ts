import type { TransportHandler } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import type { Broker, ClusterMetadata } from "../../src/Client.ts"
import type { Cluster } from "../../src/Cluster.ts"
import type { Coordinator } from "../../src/Coordinator.ts"
import type { Failure } from "../../src/Failure.ts"
import type { Pump } from "../../src/internal/pump.ts"

/** A coordinator that answers what a test says, and counts how often it is looked for anew. */
export class Answering {
  forgotten = 0
  refreshed: Effect.Effect<void> = Effect.void
  metadata: ClusterMetadata = { brokers: [], clusterId: "", controllerId: 0, topicMetadata: [] }
  readonly assigned: Array<ReadonlyArray<string>> = []
  readonly lost: Array<ReadonlyArray<string>> = []
  readonly drained: Array<ReadonlyArray<string>> = []
  private readonly broker: Partial<Broker>

  constructor(broker: Partial<Broker>) {
    this.broker = broker
  }

  get coordinator(): Coordinator {
    return {
      ask: (request) =>
        Effect.tryPromise({ try: () => request(this.broker as Broker), catch: (one) => one as Failure }),
      forget: Effect.sync(() => {
        this.forgotten++
      })
    }
  }

  get cluster(): Cluster {
    return {
      about: { transport: "test", brokers: [] },
      metadata: () => this.metadata,
      refresh: Effect.suspend(() => this.refreshed)
    } as Partial<Cluster> as Cluster
  }

  get handler(): TransportHandler {
    return {
      onAssignment: ({ partitions }) => {
        this.assigned.push(partitions.map(({ key }) => key))
        return []
      },
      onLost: (partitions) => void this.lost.push(partitions.map(({ key }) => key)),
      onAlive: () => undefined,
      onBatch: () => undefined,
      onOutOfRange: () => undefined,
      beforeRevoke: (partitions) => Effect.sync(() => void this.drained.push(partitions.map(({ key }) => key)))
    }
  }
}

/** Fetches nothing. */
export const idlePump: Pump = {
  assign: (_, keep) => void keep(),
  reassign: (_, keep) => void keep(),
  clear: () => undefined,
  hold: () => undefined,
  pause: () => undefined,
  refit: () => undefined,
  resume: () => undefined,
  start: () => undefined,
  run: Effect.never
}

/** Promises are answered between two steps of the clock. */
export const advance = (ms: number): Effect.Effect<void> =>
  Effect.repeat(
    Effect.andThen(Effect.promise(() => new Promise((resolve) => setImmediate(resolve))), TestClock.adjust(20)),
    { times: Math.ceil(ms / 20) }
  )
