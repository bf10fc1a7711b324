/** The settings of this package are those of the configuration, one by one; clients take what is made of them. */
import type { ConsumerConfig } from "@weft/config/ConsumerConfig"
import type * as Resolution from "@weft/config/Resolution"
import { toKafkaJs } from "@weft/promise"
import type { ConsumerSettings, Source } from "@weft/promise/ConsumerConfig"
import type {
  ConsumerConfig as KafkaJsConsumer,
  ConsumerRunConfig,
  ConsumerSubscribeTopics,
  KafkaConfig
} from "kafkajs"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Plain<A> = { [K in keyof A]: A[K] }

export const settingsAreEqual: Equal<Plain<ConsumerSettings>, Plain<ConsumerConfig>> = true
export const sourcesAreEqual: Equal<Source, Resolution.Source> = true

declare const settings: ConsumerSettings
const options = toKafkaJs(settings)
export const kafka: KafkaConfig = { brokers: [], ...options.kafka }
export const consumer: KafkaJsConsumer = options.consumer
export const run: ConsumerRunConfig = options.run
export const subscribe: ConsumerSubscribeTopics = { topics: [], ...options.subscribe }
