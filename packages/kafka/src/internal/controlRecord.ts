/** Control batches hold one record, whose key is a version and a type. */
import { VarintReader } from "./varint.ts"

/** The type: 0 abort, 1 commit, others for the brokers themselves; `undefined` where the bytes are no such record. */
export const controlType = (bytes: Buffer, start: number, end: number): number | undefined => {
  const reader = new VarintReader()
  reader.at = start
  reader.read(bytes, end)
  reader.at++
  reader.skipLong(bytes, end)
  reader.read(bytes, end)
  const keySize = reader.read(bytes, end)
  return keySize < 4 || reader.at + keySize > end ? undefined : bytes.readInt16BE(reader.at + 2)
}
