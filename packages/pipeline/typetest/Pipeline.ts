/** What the types of a pipeline's definition infer, and what they refuse. Checked by the compiler alone. */
import * as Codec from "@weft/kafka/Codec"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { BatchRecordError } from "../src/BatchRecordError.ts"
import * as FailurePolicy from "../src/FailurePolicy.ts"
import * as Pipeline from "../src/Pipeline.ts"

class TooLate extends Data.TaggedError("TooLate")<{ readonly hours: number }> {}
class Detector extends Context.Service<Detector, {
  readonly detect: (n: number) => Effect.Effect<void, TooLate>
}>()("Detector") {}

const common = { service: "s", topics: ["t"], value: Codec.json(Schema.Struct({ n: Schema.Finite })) }

export const withGenerator: Pipeline.Pipeline<Detector> = Pipeline.make({
  ...common,
  tombstones: "skip",
  process: Effect.fnUntraced(function*(record) {
    const detector = yield* Detector
    yield* detector.detect(record.value.n)
  })
})

export const withGeneratorAndTombstones: Pipeline.Pipeline<Detector> = Pipeline.make({
  ...common,
  process: Effect.fnUntraced(function*(record) {
    const value: { readonly n: number } | null = record.value
    // @ts-expect-error the value may be null
    const n: number = record.value.n
    const detector = yield* Detector
    yield* detector.detect(value === null ? n : 0)
  })
})

export const tombstonesAreNull = Pipeline.make({
  ...common,
  key: Codec.string,
  process: (record) => {
    // @ts-expect-error the value may be null
    const n: number = record.value.n
    const key: string | null = record.key
    return Effect.as(Effect.flatMap(Detector, (detector) => detector.detect(n)), key)
  },
  onFailure: { TooLate: FailurePolicy.skip, otherwise: FailurePolicy.retry({ attempts: 3 }) }
})

export const batched = Pipeline.make({
  ...common,
  tombstones: "dead-letter",
  processBatch: (records) => Effect.flatMap(Detector, (detector) => detector.detect(records[0].value.n)),
  batch: { size: 10, window: "1 second" },
  order: "none",
  onFailure: { TooLate: FailurePolicy.skip, DecodeError: FailurePolicy.halt, Defect: FailurePolicy.halt }
})

export const failingRecords = Pipeline.make({
  ...common,
  processBatch: Effect.fnUntraced(function*(records) {
    const detector = yield* Detector
    for (const [index, record] of records.entries()) {
      yield* Effect.mapError(
        detector.detect(record.value?.n ?? 0),
        (cause) => new BatchRecordError({ index, cause })
      )
    }
  }),
  onFailure: { TooLate: FailurePolicy.skip }
})

export const requirements: ReadonlyArray<Pipeline.Pipeline<Detector>> = [
  withGenerator,
  tombstonesAreNull,
  batched,
  failingRecords
]

export const unknownTag = Pipeline.make({
  ...common,
  process: (record) => Effect.flatMap(Detector, (detector) => detector.detect(record.value?.n ?? 0)),
  // @ts-expect-error the handler never fails with it
  onFailure: { TooEarly: FailurePolicy.skip }
})

// @ts-expect-error one handler, not two
export const two = Pipeline.make({ ...common, process: () => Effect.void, processBatch: () => Effect.void })

// @ts-expect-error one handler, not none
export const none = Pipeline.make(common)

// @ts-expect-error batches are of a partition, or in no order
export const byKey = Pipeline.make({ ...common, processBatch: () => Effect.void, order: "key" })
