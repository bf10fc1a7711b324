/** The Produce request, versions 5 to 7, with an error code for each partition. */
import type { WireRequest } from "../Client.ts"
import { type Reader, Writer } from "../Wire.ts"

export interface ProducedPart {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly baseOffset: bigint
}

export const produceRequest = (options: {
  readonly acks: number
  readonly timeoutMs: number
  readonly parts: ReadonlyArray<{ readonly topic: string; readonly partition: number; readonly batch: Uint8Array }>
}): WireRequest<ReadonlyArray<ProducedPart>> => ({
  apiKey: 0,
  apiName: "Produce",
  maxVersion: 7,
  expectResponse: options.acks !== 0,
  encode: () => {
    const size = options.parts.reduce((bytes, { batch, topic }) => bytes + batch.length + topic.length * 3 + 16, 64)
    const writer = new Writer(size)
    return writer.string(null).int16(options.acks).int32(options.timeoutMs)
      .array(options.parts, ({ batch, partition, topic }) => {
        writer.string(topic).int32(1).int32(partition).sized(batch)
      })
  },
  decode
})

const decode = (reader: Reader): ReadonlyArray<ProducedPart> =>
  reader.array(() => {
    const topic = reader.string() ?? ""
    return reader.array((): ProducedPart => {
      const partition = reader.int32()
      const errorCode = reader.int16()
      const baseOffset = reader.int64()
      // The time of appending, and where the log starts.
      reader.int64()
      reader.int64()
      return { topic, partition, errorCode, baseOffset }
    })
  }).flat()
