import { assert, describe, it } from "@effect/vitest"
import { ConnectionError, type KafkaError } from "@weft/kafka/KafkaError"
import type { ProducerSettings } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Exit from "effect/Exit"
import type { Broker, TopicMetadata } from "../src/Client.ts"
import type { Cluster } from "../src/Cluster.ts"
import { codes } from "../src/ErrorCode.ts"
import { type Failure, protocolFailure } from "../src/Failure.ts"
import { make } from "../src/LaneProducer.ts"
import { adminPlan } from "../src/Plan.ts"
import { Reader } from "../src/Wire.ts"
import { advance } from "./internal/fixtures.ts"

const settings: ProducerSettings = {
  clientId: "weft",
  acks: -1,
  enableIdempotence: true,
  compressionType: "none",
  requestTimeoutMs: 1_000,
  retryBackoffMs: 100,
  deliveryTimeoutMs: 5_000
}

interface Written {
  readonly partition: number
  readonly producerId: bigint
  readonly baseSequence: number
}

/** What a Produce request holds: of each partition the identity and the sequence of its batch. */
const read = (bytes: Buffer): ReadonlyArray<Written> => {
  const reader = new Reader(bytes)
  reader.string()
  reader.int16()
  reader.int32()
  return reader.array(() => {
    reader.string()
    return reader.array(() => {
      const partition = reader.int32()
      const batch = reader.sized()
      return { partition, producerId: batch.readBigInt64BE(43), baseSequence: batch.readInt32BE(53) }
    })
  }).flat()
}

/** A broker that answers each batch with a code, and gives identities away where it likes to. */
const producing = Effect.fnUntraced(function*(broker: {
  readonly codeOf?: (written: Written) => number
  readonly identify?: (nth: number) => Failure | undefined
  readonly topicFails?: (nth: number) => KafkaError | undefined
  /** Answers nothing in time: another leads meanwhile, which whoever asks for it is told. */
  readonly isFrozen?: boolean
}) {
  const batches: Array<Written> = []
  let identities = 0
  let lookUps = 0
  let leader = 1
  const avoided: Array<number> = []
  const asked: Partial<Broker> = {
    initProducerId: () => {
      const failure = broker.identify?.(identities)
      identities++
      return failure === undefined
        ? Promise.resolve({ producerId: BigInt(100 + identities), producerEpoch: 0 })
        : Promise.reject(failure)
    },
    send: (request) => {
      const all = read(request.encode(7).buffer as Buffer)
      batches.push(...all)
      if (broker.isFrozen === true && leader === 1) {
        return Promise.reject({ _tag: "Connection", cause: "no answer in time" } satisfies Failure)
      }
      const answer = all.map((one) => ({
        topic: "out",
        partition: one.partition,
        errorCode: broker.codeOf?.(one) ?? 0,
        baseOffset: 0n
      }))
      return Promise.resolve(answer as never)
    }
  }
  const cluster: Partial<Cluster> = {
    about: { transport: "test", brokers: [] },
    attempt: (request) => Effect.tryPromise({ try: request, catch: (thrown) => thrown as Failure }),
    classify: (cause) => ({ _tag: "Other", cause }),
    connect: Effect.void,
    // The news takes a while.
    refresh: Effect.map(Effect.sleep(300), () => {
      leader = 2
    }),
    avoid: (node) => void avoided.push(node),
    leaderOf: () => leader,
    broker: () => Effect.succeed(asked as Broker),
    anyBroker: Effect.succeed(asked as Broker),
    askAny: (request) =>
      Effect.tryPromise({ try: () => request(asked as Broker), catch: (thrown) => thrown as Failure }),
    topic: () =>
      Effect.suspend(() => {
        const error = broker.topicFails?.(lookUps++)
        return error === undefined
          ? Effect.succeed({ partitionMetadata: Array(3).fill({}) } as Partial<TopicMetadata> as TopicMetadata)
          : Effect.fail(error)
      })
  }
  const producer = yield* make({ cluster: cluster as Cluster, client: adminPlan, settings })
  const part = (partition: number) => ({
    topic: "out",
    partition,
    records: [{ key: null, value: Buffer.from("v"), headers: [] }]
  })
  const send = (...partitions: ReadonlyArray<number>) => Effect.forkChild(producer.send(partitions.map(part)))
  return { avoided, batches, identities: () => identities, lookUps: () => lookUps, send }
})

const exitOf = <A, E>(fiber: Fiber.Fiber<A, E>): Exit.Exit<A, E> | undefined => fiber.pollUnsafe()

describe("LaneProducer", () => {
  it.effect("waits for an identity within the deadline, and asks for it once, not once for each partition", () =>
    Effect.gen(function*() {
      const failures = [codes.coordinatorLoadInProgress, codes.unknownServerError, codes.notCoordinator]
      const { batches, identities, send } = yield* producing({
        identify: (nth) => nth < failures.length ? protocolFailure(failures[nth]!) : undefined
      })
      const sending = yield* send(0, 1, 2)
      yield* advance(2_000)
      assert.strictEqual(exitOf(sending)?._tag, "Success")
      assert.strictEqual(identities(), failures.length + 1)
      assert.lengthOf(batches, 3)
    }))

  it.effect("fails those alone that get no identity", () =>
    Effect.gen(function*() {
      const refused = protocolFailure(31)
      const { send } = yield* producing({
        // The second identity is that of a partition whose own one the broker has forgotten.
        identify: (nth) => nth === 0 ? undefined : refused,
        codeOf: ({ partition }) => partition === 1 ? codes.unknownProducerId : 0
      })
      const first = yield* send(1)
      yield* advance(20)
      const others = yield* send(0)
      yield* advance(2_000)
      assert.strictEqual(exitOf(first)?._tag, "Failure")
      assert.strictEqual(exitOf(others)?._tag, "Success")
    }))

  for (const code of [codes.notLeader, codes.kafkaStorageError, codes.unknownServerError]) {
    it.effect(`never gives a sequence away that the log may know already: code ${code}`, () =>
      Effect.gen(function*() {
        let isAway = true
        const { batches, send } = yield* producing({ codeOf: () => isAway ? code : 0 })
        const first = yield* send(0)
        yield* advance(6_000)
        assert.strictEqual(exitOf(first)?._tag, "Failure")
        const isSame = batches.every((one) => one.producerId === 101n && one.baseSequence === 0)
        assert.isTrue(isSame, "again as it was")
        isAway = false
        const second = yield* send(0)
        yield* advance(1_000)
        assert.strictEqual(exitOf(second)?._tag, "Success")
        assert.notStrictEqual(batches.at(-1)?.producerId, 101n, "else the broker takes it for the first one")
      }))
  }

  it.effect("does not ask a frozen leader again before it was heard who leads now", () =>
    Effect.gen(function*() {
      const { avoided, batches, send } = yield* producing({ isFrozen: true })
      const sending = yield* send(0)
      yield* advance(1_000)
      assert.strictEqual(exitOf(sending)?._tag, "Success")
      assert.lengthOf(batches, 2)
      assert.deepStrictEqual(avoided, [1])
    }))

  it.effect("looks for a topic again while the brokers are away", () =>
    Effect.gen(function*() {
      const { lookUps, send } = yield* producing({
        topicFails: (nth) => nth < 3 ? new ConnectionError({ brokers: [], cause: "away" }) : undefined
      })
      const sending = yield* send(0)
      yield* advance(1_000)
      assert.strictEqual(exitOf(sending)?._tag, "Success")
      assert.strictEqual(lookUps(), 4)
    }))

  it.effect("nothing is written of who gave up while it waited; those behind it go on, in order", () =>
    Effect.gen(function*() {
      let isAway = true
      const { batches, send } = yield* producing({
        topicFails: () => isAway ? new ConnectionError({ brokers: [], cause: "away" }) : undefined
      })
      const first = yield* send(0)
      const second = yield* send(1)
      const third = yield* send(2, 0)
      yield* advance(500)
      yield* Fiber.interrupt(second)
      yield* Fiber.interrupt(first)
      isAway = false
      yield* advance(500)
      assert.strictEqual(exitOf(third)?._tag, "Success")
      assert.deepStrictEqual(batches.map(({ partition }) => partition), [2, 0])
    }))
})
