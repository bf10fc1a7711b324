/** The contenders by name, each loaded in its own process only. */
import type { Contender } from "./Contender.ts"

export const contenders = {
  "kafkajs eachBatch": async () => (await import("./kafkajsEachBatch.ts")).run,
  "kafkajs eachMessage": async () => (await import("./kafkajsEachMessage.ts")).run,
  "weft Consumer.batches": async () => (await import("./weftConsumer.ts")).batches,
  "weft Consumer.stream": async () => (await import("./weftConsumer.ts")).stream,
  "weft processBatch": async () => (await import("./weftPipeline.ts")).processBatch(),
  "weft process": async () => (await import("./weftPipeline.ts")).process(),
  "weft processBatch unmeasured": async () => (await import("./weftPipeline.ts")).processBatch("none"),
  "weft processBatch measured": async () => (await import("./weftPipeline.ts")).processBatch("every second"),
  "weft process unmeasured": async () => (await import("./weftPipeline.ts")).process("none"),
  "weft process measured": async () => (await import("./weftPipeline.ts")).process("every second")
} satisfies Record<string, () => Promise<Contender>>

export type ContenderName = keyof typeof contenders

export const isContender = (name: string): name is ContenderName => Object.hasOwn(contenders, name)
