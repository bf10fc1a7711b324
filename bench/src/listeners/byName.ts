/** The listeners by name, each loaded where it runs only: loading is a part of starting. */
import type { Listener } from "./Listener.ts"

export const listeners = {
  "weft process": async () => {
    const [{ process }, { layer }] = await Promise.all([import("./weft.ts"), import("@weft/kafkajs/KafkaJs")])
    return process((brokers) => layer({ brokers }))
  },
  "weft process on platformatic": async () => {
    const [{ process }, { layer }] = await Promise.all([import("./weft.ts"), import("@weft/platformatic/Platformatic")])
    return process((brokers) => layer({ brokers }))
  },
  "weft process on platformatic, KIP-848": async () => {
    const [{ process }, { layer }] = await Promise.all([import("./weft.ts"), import("@weft/platformatic/Platformatic")])
    return process((brokers) => layer({ brokers }), { groupProtocol: "consumer" })
  },
  "weft processBatch": async () => {
    const [{ processBatch }, { layer }] = await Promise.all([import("./weft.ts"), import("@weft/kafkajs/KafkaJs")])
    return processBatch((brokers) => layer({ brokers }))
  },
  "kafkajs eachMessage": async () => (await import("./kafkajs.ts")).eachMessage,
  "platformatic on data": async () => (await import("./platformatic.ts")).onData
} satisfies Record<string, () => Promise<Listener>>

export type ListenerName = keyof typeof listeners

export const isListener = (name: string): name is ListenerName => Object.hasOwn(listeners, name)
