/** A record as the handler is given it, or why it is not. Pure. */
import * as Codec from "@weft/kafka/Codec"
import type { ConsumerRecord } from "@weft/kafka/ConsumerRecord"
import type { Definition } from "../PipelineOptions.ts"
import { bytesOfKey, PipelineRecord } from "../PipelineRecord.ts"
import { Tombstone } from "./failure.ts"

/** A record that is skipped as it is. */
export const skip = Symbol("skip")

/** A record that no attempt can heal. */
export class Hopeless {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

export const decodeRecord = (
  definition: Definition<unknown>,
  record: ConsumerRecord,
  attempt: number
): PipelineRecord<unknown, unknown> | typeof skip | Hopeless => {
  const value = Codec.decodeValue(definition.value, record)
  if (value._tag === "Failure") return new Hopeless(value.failure)
  if (value.success === null && record.value === null) {
    if (definition.tombstones === "dead-letter") return new Hopeless(new Tombstone())
    if (definition.tombstones === "skip") return skip
  }
  const key = definition.key === undefined ? undefined : Codec.decodeKey(definition.key, record)
  if (key?._tag === "Failure") return new Hopeless(key.failure)
  return new PipelineRecord(record, key === undefined ? bytesOfKey : key.success, value.success, attempt)
}
