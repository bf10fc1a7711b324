/**
 * The producer of the in-memory transport: each part goes to the partition's leader, and is sent again until it is
 * acknowledged, refused for good, or too old. An idempotent producer numbers its batches, so that no repetition is
 * written twice; the other kind writes duplicates, as in life.
 */
import type { KafkaError } from "@weft/kafka/KafkaError"
import { UnknownTopicError } from "@weft/kafka/KafkaError"
import type { PartitionOffset } from "@weft/kafka/TopicPartition"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import type { PartitionRecords, ProducerSettings, TransportProducer } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as Codes from "./errorCodes.ts"
import * as Log from "./logModel.ts"
import * as Network from "./network.ts"
import { configOf } from "./topics.ts"
import * as World from "./world.ts"

/** A client's waits between attempts grow up to this. */
const maxBackoffMs = 1000

export const make = Effect.fnUntraced(function*(world: World.World, settings: ProducerSettings) {
  const { network, timers, topics } = world
  const client = Network.makeClient({ clientId: settings.clientId })
  network.register(client)
  yield* Effect.addFinalizer(() => Effect.sync(() => network.unregister(client)))
  const producerId = settings.enableIdempotence && settings.acks === -1 ? world.nextProducerId() : undefined
  const sequences = new Map<string, number>()
  const backoff = { retryBackoffMs: settings.retryBackoffMs, maxMs: maxBackoffMs }

  /** Takes the numbers of a batch before it is sent for the first time. */
  const sequenceOf = ({ partition, records, topic }: PartitionRecords): Log.ProducerSequence | undefined => {
    if (producerId === undefined) return undefined
    const key = TopicPartition.keyOf(topic, partition)
    const sequence = sequences.get(key) ?? 0
    sequences.set(key, sequence + records.length)
    return { producerId, sequence }
  }

  const write = (part: PartitionRecords, producer: Log.ProducerSequence | undefined) =>
    Effect.suspend(() => {
      const partition = topics.get(part.topic, part.partition)
      const topic = topics.all.get(part.topic)
      if (partition === undefined || topic === undefined) return refuse("UNKNOWN_TOPIC_OR_PARTITION")
      if (Log.batchSize(part.records) > Number(configOf(topic, "max.message.bytes"))) return refuse("MESSAGE_TOO_LARGE")
      const timestampType = configOf(topic, "message.timestamp.type") === "LogAppendTime"
        ? "LogAppendTime"
        : "CreateTime"
      const written = Log.append(partition.log, part.records, timers.now(), { timestampType, producer })
      if (written._tag === "OutOfSequence") return refuse("OUT_OF_ORDER_SEQUENCE_NUMBER")
      topics.notify(partition)
      return Effect.succeed(written.baseOffset)
    })

  const leaderOf = ({ partition, topic }: PartitionRecords) => (): number => {
    const known = topics.get(topic, partition)
    return known === undefined ? World.anyBroker(world) : known.leader
  }

  const sendPart = (part: PartitionRecords): Effect.Effect<PartitionOffset, KafkaError> =>
    Effect.suspend(() => {
      const { partition, records, topic } = part
      const unwritten = { topic, partition, offset: -1n }
      if (records.length === 0) return Effect.succeed(unwritten)
      const giveUpAt = timers.now() + settings.deliveryTimeoutMs
      const sequence = sequenceOf(part)
      const once = network.request(client, "produce", leaderOf(part), write(part, sequence))
      if (settings.acks === 0) return Effect.as(Effect.ignore(once), unwritten)
      const attempt = (n: number): Effect.Effect<PartitionOffset, KafkaError> =>
        Effect.matchEffect(once, {
          onSuccess: (offset) => Effect.succeed({ topic, partition, offset }),
          onFailure: ({ code }) => {
            const wait = World.backoffMs(backoff, n)
            if (Codes.isTransient(code) && timers.now() + wait < giveUpAt) {
              return Effect.andThen(timers.sleep(wait), attempt(n + 1))
            }
            // A batch that was never taken leaves no hole in the numbers, or nothing after it would be taken either.
            if (sequence !== undefined && !Codes.isTransient(code)) {
              sequences.set(TopicPartition.keyOf(topic, partition), sequence.sequence)
            }
            return Effect.fail(Codes.produceError(topic, partition, code))
          }
        })
      return attempt(0)
    })

  /** One after the other within a partition: latency must not change their order. */
  const turnOf = ({ partition, topic }: PartitionRecords): Semaphore.Semaphore => {
    const key = TopicPartition.keyOf(topic, partition)
    const turn = turns.get(key) ?? Semaphore.makeUnsafe(1)
    turns.set(key, turn)
    return turn
  }
  const turns = new Map<string, Semaphore.Semaphore>()

  const producer: TransportProducer = {
    partitionCount: (topic) =>
      World.retrying(world, backoff, 5, World.send(world, client, "metadata", () => topics.all.get(topic))).pipe(
        Effect.mapError(({ code }) => Codes.adminError("metadata", code)),
        Effect.flatMap((known) =>
          known === undefined
            ? Effect.fail<KafkaError>(new UnknownTopicError({ topic }))
            : Effect.succeed(known.partitions.length)
        )
      ),
    send: (parts) =>
      Effect.forEach(parts, (part) => Effect.result(turnOf(part).withPermit(sendPart(part)))).pipe(
        Effect.flatMap((results) => Effect.forEach(results, Effect.fromResult))
      )
  }
  return producer
})

const refuse = (code: string) => Effect.fail(new Network.RequestFailed({ code }))
