/** JSON values: by a Schema, and by hand on the same path. */
import * as Codec from "@weft/kafka/Codec"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Contender } from "./Contender.ts"
import { optionsOf, running } from "./weftPipeline.ts"

const Value = Schema.Struct({ id: Schema.Finite, pad: Schema.String })

/** What `{"id":` and the rest around the text take. */
const sizeOf = ({ id, pad }: typeof Value.Type): number => `{"id":${id},"pad":""}`.length + pad.length

export const bySchema: Contender = (task, progress) =>
  running(
    task,
    progress,
    Pipeline.make({
      ...optionsOf(task),
      value: Codec.json(Value),
      tombstones: "skip",
      processBatch: (records) =>
        Effect.sync(() => {
          let bytes = 0
          for (const { value } of records) bytes += sizeOf(value)
          progress.seen(records.length, bytes)
        })
    })
  )

/** Without a copy of the bytes. */
const textOf = ({ buffer, byteLength, byteOffset }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString()

export const byHand: Contender = (task, progress) =>
  running(
    task,
    progress,
    Pipeline.make({
      ...optionsOf(task),
      processBatch: (records) =>
        Effect.sync(() => {
          let bytes = 0
          for (const { value } of records) {
            bytes += sizeOf(JSON.parse(textOf(value!)) as typeof Value.Type)
          }
          progress.seen(records.length, bytes)
        })
    })
  )
