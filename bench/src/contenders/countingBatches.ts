import * as Codec from "@weft/kafka/Codec"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Effect from "effect/Effect"

/** A pipeline whose handler looks at the values of each batch, and at nothing else. */
export const countingBatches = (
  service: string,
  topic: string,
  counter: { readonly seen: (records: number, bytes: number) => void }
): Pipeline.Pipeline =>
  Pipeline.make({
    service,
    topics: [topic],
    value: Codec.bytes,
    processBatch: (records) =>
      Effect.sync(() => {
        let bytes = 0
        for (const record of records) bytes += record.value?.length ?? 0
        counter.seen(records.length, bytes)
      })
  })
