/** The contenders by name, each loaded in its own process only. */
import type { ListenerName } from "../listeners/byName.ts"
import type { Contender } from "./Contender.ts"
import type { MemorySettings } from "./weftMemory.ts"
import { oneByOne, together } from "./sends.ts"

const latency = (name: ListenerName) => async () => (await import("./latency.ts")).latencyOf(name)
const startup = (name: ListenerName) => async () => (await import("./startup.ts")).startupOf(name)
const rebalance = (name: ListenerName) => async () => (await import("./rebalance.ts")).rebalanceOf(name)

const memory = (settings: MemorySettings) => async () => (await import("./weftMemory.ts")).slow(settings)

export const contenders = {
  "one socket, weft's decoder": async () => (await import("./rawFetch.ts")).run,
  "kafkajs eachBatch": async () => (await import("./kafkajsEachBatch.ts")).run,
  "kafkajs eachMessage": async () => (await import("./kafkajsEachMessage.ts")).run,
  "platformatic on data": async () => (await import("./platformatic.ts")).onData,
  "platformatic for await": async () => (await import("./platformatic.ts")).forAwait,
  "effect-kafka stream": async () => (await import("./effectKafka.ts")).stream,
  "effect-kafka handler": async () => (await import("./effectKafka.ts")).handler,
  "kafkajs send of 500": async () => (await import("./rawProducers.ts")).onKafkajs(together),
  "kafkajs send": async () => (await import("./rawProducers.ts")).onKafkajs(oneByOne),
  "platformatic send of 500": async () => (await import("./rawProducers.ts")).onPlatformatic(together),
  "platformatic send": async () => (await import("./rawProducers.ts")).onPlatformatic(oneByOne),
  "weft sendAll of 500": async () => (await import("./weftProducer.ts")).onKafkajs(together),
  "weft send": async () => (await import("./weftProducer.ts")).onKafkajs(oneByOne),
  "weft sendAll of 500 on platformatic": async () => (await import("./weftProducer.ts")).onPlatformatic(together),
  "weft send on platformatic": async () => (await import("./weftProducer.ts")).onPlatformatic(oneByOne),
  "java ProducerPerformance": async () => (await import("./javaProducer.ts")).run,
  "java ConsumerPerformance": async () => (await import("./javaConsumer.ts")).run,
  "weft Consumer.batches": async () => (await import("./weftConsumer.ts")).batches,
  "weft by kafkajs's decoder": async () => (await import("./weftConsumer.ts")).batchesByKafkajsDecoder,
  "weft without checksums": async () => (await import("./weftConsumer.ts")).batchesWithoutCrcs,
  "weft on platformatic": async () => (await import("./weftConsumer.ts")).batchesOnPlatformatic,
  "weft Consumer.stream": async () => (await import("./weftConsumer.ts")).stream,
  "weft processBatch": async () => (await import("./weftPipeline.ts")).processBatch(),
  "weft process": async () => (await import("./weftPipeline.ts")).process(),
  "weft processBatch unmeasured": async () => (await import("./weftPipeline.ts")).processBatch("none"),
  "weft processBatch measured": async () => (await import("./weftPipeline.ts")).processBatch("every second"),
  "weft process unmeasured": async () => (await import("./weftPipeline.ts")).process("none"),
  "weft process measured": async () => (await import("./weftPipeline.ts")).process("every second"),
  "weft processBatch untraced": async () =>
    (await import("./weftPipeline.ts")).processBatch("default", { tracing: "none" }),
  "weft processBatch traced": async () =>
    (await import("./weftPipeline.ts")).processBatch("default", { tracing: "batch" }),
  "weft JSON by Schema": async () => (await import("./weftJson.ts")).bySchema,
  "weft JSON by hand": async () => (await import("./weftJson.ts")).byHand,
  "weft processBatch, warm": async () => (await import("./weftBacklog.ts")).run,
  "weft, slow": memory({}),
  "weft, slow, queues of 256 KiB": memory({ queueMaxBytes: 1 << 18, maxPartitionFetchBytes: 1 << 18 }),
  "weft, slow, queues of 8 MiB": memory({ queueMaxBytes: 1 << 23 }),
  "weft, slow, 16 MiB in all": memory({ bufferMaxBytes: 1 << 24, fetchMaxBytes: 1 << 23 }),
  "weft, records at a rate": async () => (await import("./weftWrites.ts")).run,
  "weft by key": async () => (await import("./weftKeys.ts")).byKey,
  "timers alone": async () => (await import("./weftKeys.ts")).timersAlone,
  "latency, weft process": latency("weft process"),
  "latency, weft process on platformatic": latency("weft process on platformatic"),
  "latency, weft processBatch": latency("weft processBatch"),
  "latency, kafkajs eachMessage": latency("kafkajs eachMessage"),
  "latency, platformatic on data": latency("platformatic on data"),
  "startup, weft process": startup("weft process"),
  "startup, weft process on platformatic": startup("weft process on platformatic"),
  "startup, weft process, compile cache": async () => (await import("./startup.ts")).withCompileCache("weft process"),
  "startup, kafkajs eachMessage": startup("kafkajs eachMessage"),
  "startup, platformatic on data": startup("platformatic on data"),
  "startup, java console consumer": async () => (await import("./startup.ts")).java,
  "rebalance, weft process": rebalance("weft process"),
  "rebalance, weft process on platformatic": rebalance("weft process on platformatic"),
  "rebalance, weft process on platformatic, KIP-848": rebalance("weft process on platformatic, KIP-848"),
  "rebalance, kafkajs eachMessage": rebalance("kafkajs eachMessage"),
  "rebalance, platformatic on data": rebalance("platformatic on data"),
  "weft processBatch, no database": async () => (await import("./weftSinks.ts")).withoutDatabase("batch"),
  "weft processBatch, sinks": async () => (await import("./weftSinks.ts")).withDatabase("batch"),
  "weft processBatch, sinks every second": async () => (await import("./weftSinks.ts")).withDatabase("batch", 1000),
  "weft process, no database": async () => (await import("./weftSinks.ts")).withoutDatabase("record"),
  "weft process, sinks every second": async () => (await import("./weftSinks.ts")).withDatabase("record", 1000),
  "weft processBatch, commits as settled": async () => (await import("./weftCommits.ts")).processBatch("as settled"),
  "weft processBatch, commits every 5 s": async () => (await import("./weftCommits.ts")).processBatch("every 5 s"),
  "weft Consumer.batches, commits awaited": async () => (await import("./weftCommits.ts")).batches("awaited"),
  "weft Consumer.batches, commits every 5 s": async () => (await import("./weftCommits.ts")).batches("every 5 s"),
  "kafkajs, commits each batch": async () => (await import("./kafkajsCommits.ts")).eachBatch("each batch"),
  "kafkajs, commits every 5 s": async () => (await import("./kafkajsCommits.ts")).eachBatch("every 5 s"),
  "platformatic, commits each fetch": async () => (await import("./platformaticCommits.ts")).onData("each fetch"),
  "platformatic, commits every 5 s": async () => (await import("./platformaticCommits.ts")).onData("every 5 s"),
  "weft, 1 group": async () => (await import("./weftTogether.ts")).reading(1),
  "weft, 10 groups": async () => (await import("./weftTogether.ts")).reading(10),
  "weft, 50 groups": async () => (await import("./weftTogether.ts")).reading(50),
  "kafkajs, 1 group": async () => (await import("./kafkajsTogether.ts")).reading(1),
  "kafkajs, 50 groups": async () => (await import("./kafkajsTogether.ts")).reading(50),
  "weft, 1 idle": async () => (await import("./weftTogether.ts")).waiting(1),
  "weft, 50 idle": async () => (await import("./weftTogether.ts")).waiting(50),
  "kafkajs, 50 idle": async () => (await import("./kafkajsTogether.ts")).waiting(50),
  "weft, an hour of backlog": async () => (await import("./weftHour.ts")).drain(0),
  "weft, an hour of backlog, 1 ms a batch": async () => (await import("./weftHour.ts")).drain(1)
} satisfies Record<string, () => Promise<Contender>>

export type ContenderName = keyof typeof contenders

export const isContender = (name: string): name is ContenderName => Object.hasOwn(contenders, name)
