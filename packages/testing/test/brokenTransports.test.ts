/** Whether the conformance suite sees what it is there for: transports with one defect each, and who must notice. */
import { assert, describe, it } from "@effect/vitest"
import type { FetchedBatch } from "@weft/kafka/FetchedBatch"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import { Transport, type TransportConsumer, type TransportHandler } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Conformance from "../src/Conformance.ts"
import * as MemoryCluster from "../src/MemoryCluster.ts"

interface Defect {
  readonly name: string
  /** The behaviour that must fail. */
  readonly seenBy: string
  readonly handler?: (handler: TransportHandler, late: Late) => TransportHandler
  readonly consumer?: (consumer: TransportConsumer) => TransportConsumer
}

/** What a defective handler may use beyond its arguments. */
interface Late {
  readonly consumer: () => TransportConsumer
  readonly fork: (effect: Effect.Effect<unknown, unknown>) => void
}

const withRecords = (batch: FetchedBatch, over: Partial<FetchedBatch>): FetchedBatch => ({
  topic: batch.topic,
  partition: batch.partition,
  count: batch.count,
  byteLength: batch.byteLength,
  nextOffset: batch.nextOffset,
  highWatermark: batch.highWatermark,
  leaderEpoch: batch.leaderEpoch,
  offset: (i) => batch.offset(i),
  timestamp: (i) => batch.timestamp(i),
  timestampType: (i) => batch.timestampType(i),
  key: (i) => batch.key(i),
  value: (i) => batch.value(i),
  headers: (i) => batch.headers(i),
  ...over
})

const defects: ReadonlyArray<Defect> = [
  {
    name: "a full queue's refusal is ignored",
    seenBy: "deliver: all records of all partitions arrive once",
    handler: (handler) => {
      let n = 0
      return { ...handler, onBatch: (batch) => n++ % 4 === 3 ? undefined : handler.onBatch(batch) }
    }
  },
  {
    name: "a batch is handed over twice",
    seenBy: "deliver: all records of all partitions arrive once",
    handler: (handler) => {
      let n = 0
      return {
        ...handler,
        onBatch: (batch) => {
          handler.onBatch(batch)
          if (n++ === 2) handler.onBatch(batch)
        }
      }
    }
  },
  {
    name: "a commit that commits nothing",
    seenBy: "commit: offsets are stored with their metadata",
    consumer: (consumer) => ({ ...consumer, commit: () => Effect.void })
  },
  {
    name: "commits that lose their metadata",
    seenBy: "commit: offsets are stored with their metadata",
    consumer: (consumer) => ({
      ...consumer,
      commit: (offsets) => consumer.commit(offsets.map((o) => ({ ...o, metadata: "" })))
    })
  },
  {
    name: "an auto-commit that follows the hand-over",
    seenBy: "commit: nothing is committed that was not asked for",
    handler: (handler, late) => ({
      ...handler,
      onBatch: (batch) => {
        handler.onBatch(batch)
        const { nextOffset: offset, partition, topic } = batch
        late.fork(late.consumer().commit([{ topic, partition, offset, metadata: "" }]))
      }
    })
  },
  {
    name: "a commit that is dropped silently when the consumer is closed",
    seenBy: "commit: after the consumer is closed",
    consumer: (consumer) => ({ ...consumer, commit: (offsets) => Effect.ignore(consumer.commit(offsets)) })
  },
  {
    name: "beforeRevoke is not awaited",
    seenBy: "rebalance: the partitions move when beforeRevoke has ended",
    handler: (handler, late) => ({
      ...handler,
      beforeRevoke: (partitions) => Effect.sync(() => late.fork(handler.beforeRevoke(partitions)))
    })
  },
  {
    name: "beforeRevoke is never called",
    seenBy: "rebalance: the partitions move when beforeRevoke has ended",
    handler: (handler) => ({ ...handler, beforeRevoke: () => Effect.void })
  },
  {
    name: "retained partitions begin anew",
    seenBy: "rebalance: a partition that stays",
    handler: (handler) => ({
      ...handler,
      onAssignment: (assignment) => handler.onAssignment(assignment).map((p) => ({ ...p, offset: 0n }))
    })
  },
  {
    name: "retained partitions are forgotten",
    seenBy: "rebalance: a partition that stays",
    handler: (handler) => ({
      ...handler,
      onAssignment: (assignment) => {
        handler.onAssignment(assignment)
        return []
      }
    })
  },
  {
    name: "partitions start by themselves",
    seenBy: "start: nothing is fetched of a partition before it is named",
    handler: (handler) => ({
      ...handler,
      onAssignment: (assignment) => {
        const retained = handler.onAssignment(assignment)
        return assignment.partitions.map(({ partition, topic }) =>
          retained.find((r) => r.topic === topic && r.partition === partition) ?? { topic, partition, offset: 0n }
        )
      }
    })
  },
  {
    name: "pause does nothing",
    seenBy: "pause: at most one batch of a partition",
    consumer: (consumer) => ({ ...consumer, pause: () => {} })
  },
  {
    name: "resume does nothing",
    seenBy: "pause: a consumer that pauses at each batch",
    consumer: (consumer) => ({ ...consumer, resume: () => {} })
  },
  {
    name: "a seek does nothing once a partition runs",
    seenBy: "start: a seek goes there",
    consumer: (consumer) => {
      const started = new Set<string>()
      return {
        ...consumer,
        start: (positions) =>
          consumer.start(positions.filter(({ partition, topic }) => {
            const key = TopicPartition.keyOf(topic, partition)
            const isFirst = !started.has(key)
            started.add(key)
            return isFirst
          }))
      }
    }
  },
  {
    name: "a position out of range starts at the beginning in silence",
    seenBy: "start: a position beyond the end",
    handler: (handler, late) => ({
      ...handler,
      onOutOfRange: ({ partition, topic }) => late.consumer().start([{ topic, partition, offset: 0n }])
    })
  },
  {
    name: "a failure is swallowed",
    seenBy: "failure: a topic that does not exist",
    consumer: (consumer) => ({ ...consumer, run: Effect.catch(consumer.run, () => Effect.never) })
  },
  {
    name: "no heartbeats, so the session expires",
    seenBy: "deliver: signs of life",
    handler: (handler) => ({ ...handler, onAlive: (sign) => sign === "fetch" ? handler.onAlive(sign) : undefined })
  },
  {
    name: "headers with the same name are merged",
    seenBy: "deliver: keys, values, headers",
    handler: (handler) => ({
      ...handler,
      onBatch: (batch) =>
        handler.onBatch(withRecords(batch, {
          headers: (i) => [...new Map(batch.headers(i).map((h) => [h.name, h])).values()]
        }))
    })
  },
  {
    name: "a tombstone becomes an empty value",
    seenBy: "deliver: keys, values, headers",
    handler: (handler) => ({
      ...handler,
      onBatch: (batch) =>
        handler.onBatch(withRecords(batch, {
          value: (i) => batch.value(i) ?? { buffer: new Uint8Array(0), start: 0, end: 0 }
        }))
    })
  },
  {
    name: "a wrong end of the log",
    seenBy: "deliver: the end of the log",
    handler: (handler) => ({
      ...handler,
      onBatch: (batch) => handler.onBatch(withRecords(batch, { highWatermark: batch.highWatermark - 1n }))
    })
  }
]

const withDefect = ({ consumer: breakConsumer, handler: breakHandler }: Defect) =>
  Layer.effect(
    Transport,
    Effect.map(Transport, (transport) =>
      Transport.of({
        ...transport,
        consumer: (options) =>
          Effect.gen(function*() {
            const scope = yield* Effect.scope
            const runFork = Effect.runForkWith(yield* Effect.context<never>())
            const made: Array<TransportConsumer> = []
            const late: Late = {
              consumer: () => made[0]!,
              fork: (effect) => {
                const fiber = runFork(effect)
                runFork(Scope.addFinalizer(scope, Effect.sync(() => fiber.interruptUnsafe())))
              }
            }
            const handler = breakHandler === undefined ? options.handler : breakHandler(options.handler, late)
            const consumer = yield* transport.consumer({ ...options, handler })
            made.push(breakConsumer === undefined ? consumer : breakConsumer(consumer))
            return made[0]!
          })
      }))
  ).pipe(Layer.provide(MemoryCluster.layer))

const impatient = Layer.effect(
  Conformance.ConformanceEnv,
  Effect.map(Conformance.ConformanceEnv, (env) => ({ ...env, patienceMs: 5_000 }))
).pipe(Layer.provide(Conformance.layerTestClock))

describe("the conformance suite notices", () => {
  for (const defect of defects) {
    it.effect(defect.name, () =>
      Effect.gen(function*() {
        const behaviour = Conformance.behaviours.find((b) => b.name.startsWith(defect.seenBy))
        assert.isDefined(behaviour, defect.seenBy)
        const error = yield* Effect.flip(behaviour.run.pipe(Effect.provide([withDefect(defect), impatient])))
        assert.instanceOf(error, Conformance.ConformanceError)
      }))
  }
})
