/** Spans around handlers, by OpenTelemetry's conventions. Nothing at all where no tracer collects them. */
import type { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import type { Definition } from "../PipelineOptions.ts"
import * as Tracing from "../Tracing.ts"

/** OpenTelemetry's own default limit. */
const linksMax = 128

/** The span of a run or a batch: it gathers links to the producers' spans while records come by. */
export class RunSpan {
  private readonly span: Tracer.Span
  private links = 0
  private records = 0
  constructor(span: Tracer.Span) {
    this.span = span
  }
  add(record: ConsumerRecord): void {
    this.records++
    if (!this.span.sampled || this.links >= linksMax) return
    const context = Tracing.ofRecord(record)
    if (context === undefined) return
    this.links++
    this.span.addLinks([{ span: context, attributes: { "messaging.kafka.offset": String(record.offset) } }])
  }
  end(): void {
    this.span.attribute("messaging.batch.message_count", this.records)
  }
}

export interface Spans {
  /** Around a run of records or a batch; the function is given the span, where there is one. */
  readonly ofRun: <A, E, R>(
    topic: string,
    partition: number | undefined,
    run: (span: RunSpan | undefined) => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E, R>
  /** Around the processing of one record; `undefined` where records have no spans of their own. */
  readonly ofRecord:
    | (<A, E, R>(effect: Effect.Effect<A, E, R>, record: ConsumerRecord) => Effect.Effect<A, E, R>)
    | undefined
}

const none: Spans = { ofRun: (_topic, _partition, run) => run(undefined), ofRecord: undefined }

export const make = Effect.fnUntraced(function*(
  definition: Definition<unknown>,
  group: string
): Effect.fn.Return<Spans> {
  const tracer = yield* Effect.tracer
  const enabled = yield* References.TracerEnabled
  const mode = definition.tracing ?? "batch"
  if (mode === "none" || !enabled || tracer === Tracer.nativeTracer) return none
  const attributesOf = (topic: string) => ({
    "messaging.system": "kafka",
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "messaging.destination.name": topic,
    "messaging.consumer.group.name": group
  })
  if (mode === "record" && definition.processBatch === undefined) {
    return {
      ofRun: none.ofRun,
      ofRecord: (effect, record) => {
        const parent = Tracing.ofRecord(record)
        return Effect.useSpan(`process ${record.topic}`, {
          kind: "consumer",
          ...(parent === undefined ? { root: true } : { parent }),
          attributes: {
            ...attributesOf(record.topic),
            "messaging.destination.partition.id": String(record.partition),
            "messaging.kafka.offset": String(record.offset)
          }
        }, (span) => Effect.provideService(effect, Tracer.ParentSpan, span))
      }
    }
  }
  return {
    ofRecord: undefined,
    ofRun: (topic, partition, run) =>
      Effect.useSpan(`process ${topic}`, {
        kind: "consumer",
        root: true,
        attributes: {
          ...attributesOf(topic),
          ...(partition === undefined ? {} : { "messaging.destination.partition.id": String(partition) })
        }
      }, (span) => {
        const links = new RunSpan(span)
        return run(links).pipe(
          Effect.provideService(Tracer.ParentSpan, span),
          Effect.onExit(() => Effect.sync(() => links.end()))
        )
      })
  }
})
