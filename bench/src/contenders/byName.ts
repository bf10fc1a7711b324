/** The contenders by name, each loaded in its own process only. */
import type { Contender } from "./Contender.ts"

export const contenders = {
  "one socket, weft's decoder": async () => (await import("./rawFetch.ts")).run,
  "kafkajs eachBatch": async () => (await import("./kafkajsEachBatch.ts")).run,
  "kafkajs eachMessage": async () => (await import("./kafkajsEachMessage.ts")).run,
  "platformatic on data": async () => (await import("./platformatic.ts")).onData,
  "platformatic for await": async () => (await import("./platformatic.ts")).forAwait,
  "java ConsumerPerformance": async () => (await import("./javaConsumer.ts")).run,
  "weft Consumer.batches": async () => (await import("./weftConsumer.ts")).batches,
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
  "weft by key": async () => (await import("./weftKeys.ts")).byKey,
  "timers alone": async () => (await import("./weftKeys.ts")).timersAlone
} satisfies Record<string, () => Promise<Contender>>

export type ContenderName = keyof typeof contenders

export const isContender = (name: string): name is ContenderName => Object.hasOwn(contenders, name)
