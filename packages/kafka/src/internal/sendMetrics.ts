/** Tells Effect's metrics of what a producer sends. */
import type * as Context from "effect/Context"
import type * as Metric from "effect/Metric"
import { operationDurationOf, sentMessagesOf } from "../ClientMetrics.ts"
import type { KafkaError } from "../KafkaError.ts"

interface Instruments {
  readonly sent: Metric.Metric<number, unknown>
  readonly duration: Metric.Metric<number, unknown>
}

export class SendMetrics {
  private readonly context: Context.Context<never>
  private readonly byTopic = new Map<string, Instruments>()

  constructor(context: Context.Context<never>) {
    this.context = context
  }

  /** An attempt to send records has ended, with an error or without. */
  sent(
    records: ReadonlyArray<{ readonly topic: string }>,
    durationMs: number,
    error: KafkaError | undefined
  ): void {
    const counts = new Map<string, number>()
    for (const { topic } of records) counts.set(topic, (counts.get(topic) ?? 0) + 1)
    for (const [topic, count] of counts) {
      const { duration, sent } = this.instruments(topic, error === undefined ? undefined : typeOf(error))
      sent.updateUnsafe(count, this.context)
      duration.updateUnsafe(durationMs / 1_000, this.context)
    }
  }

  private instruments(topic: string, errorType: string | undefined): Instruments {
    const key = errorType === undefined ? topic : `${topic} ${errorType}`
    const known = this.byTopic.get(key)
    if (known !== undefined) return known
    const attributes = {
      "messaging.system": "kafka",
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
      "messaging.destination.name": topic,
      ...(errorType === undefined ? {} : { "error.type": errorType })
    }
    const made = { sent: sentMessagesOf(attributes), duration: operationDurationOf(attributes) }
    this.byTopic.set(key, made)
    return made
  }
}

const typeOf = (error: KafkaError): string =>
  "code" in error && typeof error.code === "string" ? error.code : error._tag
