/** Bytes as Node's buffers, in place. */
import { Buffer } from "node:buffer"

export const nodeBuffer = (bytes: Uint8Array): Buffer =>
  bytes instanceof Buffer ? bytes : new View(bytes.buffer, bytes.byteOffset, bytes.byteLength)

type MakeView = new(buffer: ArrayBufferLike, start: number, length: number) => Buffer

/** What `subarray` makes its results with: `Buffer.from` comes to the same, after it has looked at what it was given. */
const species = (Buffer as unknown as { readonly [Symbol.species]?: MakeView })[Symbol.species]

const View: MakeView = species !== undefined && species.prototype === Buffer.prototype ? species : class {
  constructor(buffer: ArrayBufferLike, start: number, length: number) {
    return Buffer.from(buffer, start, length)
  }
} as MakeView

/** A part of the bytes. A consumer pays its time for each key and value. */
export const part = (bytes: Uint8Array, start: number, end: number): Uint8Array =>
  start === 0 && end === bytes.length ? bytes : new View(bytes.buffer, bytes.byteOffset + start, end - start)
