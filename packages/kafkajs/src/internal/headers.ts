/**
 * A record's headers in their order. kafkajs keeps them in an object: those of one name are gathered, and names that are
 * numbers come first. Where that may have changed the order, they are read again from the record's own bytes, of which
 * kafkajs's values are views.
 */
import type { Header } from "@weft/kafka/FetchedBatch"
import type { Message } from "./inside.ts"

export type MessageHeader = Buffer | null | ReadonlyArray<Buffer | null>

export const isMany = (value: MessageHeader): value is ReadonlyArray<Buffer | null> => Array.isArray(value)

const isNumber = /^\d+$/

export const headersOf = (message: Message): ReadonlyArray<Header> => {
  const headers: Array<Header> = []
  let isInOrder = true
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    if (isNumber.test(name)) isInOrder = false
    if (isMany(value)) {
      isInOrder = false
      for (const one of value) headers.push({ name, value: one })
    } else headers.push({ name, value })
  }
  return isInOrder || headers.length === 1 ? headers : readAgain(message, headers) ?? headers
}

/** Where the headers begin: after the value, or after the key and the one byte of a missing value. */
const startOf = ({ key, value }: Message): { readonly bytes: Buffer; readonly at: number } | undefined => {
  const before = value ?? key
  if (before === null) return undefined
  const bytes = Buffer.from(before.buffer)
  return { bytes, at: before.byteOffset + before.length + (value === null ? 1 : 0) }
}

/** `undefined` where there are no bytes to find them by (neither key nor value), or they say something else. */
const readAgain = (message: Message, known: ReadonlyArray<Header>): ReadonlyArray<Header> | undefined => {
  const start = startOf(message)
  if (start === undefined) return undefined
  const { bytes } = start
  let { at } = start
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at++] ?? 0
      value += (byte & 127) * 2 ** shift
      if (byte < 128) break
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
  if (varint() !== known.length) return undefined
  return known.map(() => {
    const nameSize = varint()
    const name = bytes.toString("utf8", at, at += nameSize)
    const valueSize = varint()
    return { name, value: valueSize < 0 ? null : bytes.subarray(at, at += valueSize) }
  })
}
