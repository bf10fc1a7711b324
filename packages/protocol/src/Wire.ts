/**
 * Kafka's wire format, for the requests that are written here: a growing buffer to write into, and a reader that refuses to
 * read past its end. What is called compact, and the tags, are of the flexible versions (KIP-482).
 *
 * @since 0.1.0
 */

/**
 * Writes into a buffer that grows; `buffer` is what was written.
 *
 * @category models
 * @since 0.1.0
 */
export class Writer {
  private bytes: Buffer
  private length = 0

  constructor(initialSize = 256) {
    this.bytes = Buffer.allocUnsafe(initialSize)
  }

  get buffer(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  private reserve(size: number): number {
    const at = this.length
    if (at + size > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, at + size))
      this.bytes.copy(larger, 0, 0, at)
      this.bytes = larger
    }
    this.length = at + size
    return at
  }

  int8(value: number): this {
    const at = this.reserve(1)
    this.bytes.writeInt8(value, at)
    return this
  }
  int16(value: number): this {
    const at = this.reserve(2)
    this.bytes.writeInt16BE(value, at)
    return this
  }
  int32(value: number): this {
    const at = this.reserve(4)
    this.bytes.writeInt32BE(value, at)
    return this
  }
  int64(value: bigint): this {
    const at = this.reserve(8)
    this.bytes.writeBigInt64BE(value, at)
    return this
  }
  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const size = Buffer.byteLength(value)
    this.int16(size)
    const at = this.reserve(size)
    this.bytes.write(value, at)
    return this
  }
  /** Bytes with their length before them. */
  sized(value: Uint8Array): this {
    this.int32(value.length)
    return this.raw(value)
  }
  raw(value: Uint8Array): this {
    const at = this.reserve(value.length)
    this.bytes.set(value, at)
    return this
  }
  array<A>(values: ReadonlyArray<A>, each: (value: A) => void): this {
    this.int32(values.length)
    values.forEach(each)
    return this
  }
  /** Seven bits a byte, the lowest first. */
  unsignedVarint(value: number): this {
    let rest = value
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.uint8(rest % 128 + 128)
    return this.uint8(rest)
  }
  compactString(value: string): this {
    const bytes = Buffer.from(value)
    return this.unsignedVarint(bytes.length + 1).raw(bytes)
  }
  compactArray<A>(values: ReadonlyArray<A>, each: (value: A) => void): this {
    this.unsignedVarint(values.length + 1)
    values.forEach(each)
    return this
  }
  /** None. */
  tags(): this {
    return this.uint8(0)
  }
  private uint8(value: number): this {
    const at = this.reserve(1)
    this.bytes.writeUInt8(value, at)
    return this
  }
}

/**
 * Reads what a broker answered, in place. Throws a `RangeError` where the answer ends before what it announces.
 *
 * @category models
 * @since 0.1.0
 */
export class Reader {
  private readonly bytes: Buffer
  private at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  int8(): number {
    return this.bytes.readInt8(this.take(1))
  }
  int16(): number {
    return this.bytes.readInt16BE(this.take(2))
  }
  int32(): number {
    return this.bytes.readInt32BE(this.take(4))
  }
  int64(): bigint {
    return this.bytes.readBigInt64BE(this.take(8))
  }
  string(): string | null {
    const size = this.int16()
    if (size < 0) return null
    const at = this.take(size)
    return this.bytes.toString("utf8", at, at + size)
  }
  /** Bytes with their length before them, in place; none where the length says that there are none. */
  sized(): Buffer {
    const size = Math.max(0, this.int32())
    const at = this.take(size)
    return this.bytes.subarray(at, at + size)
  }
  /** What has not been read, in place. */
  rest(): Buffer {
    return this.bytes.subarray(this.at)
  }
  array<A>(each: () => A): Array<A> {
    const size = this.int32()
    const values: Array<A> = []
    for (let i = 0; i < size; i++) values.push(each())
    return values
  }
  unsignedVarint(): number {
    let value = 0
    for (let worth = 1, read = 0; read < 5; worth *= 128, read++) {
      const byte = this.bytes.readUInt8(this.take(1))
      value += (byte & 127) * worth
      if (byte < 128) return value
    }
    throw new RangeError("a number of more than 32 bits")
  }
  compactString(): string | null {
    const size = this.unsignedVarint() - 1
    if (size < 0) return null
    const at = this.take(size)
    return this.bytes.toString("utf8", at, at + size)
  }
  /** What is no array is an empty one. */
  compactArray<A>(each: () => A): Array<A> {
    const size = this.unsignedVarint() - 1
    const values: Array<A> = []
    for (let i = 0; i < size; i++) values.push(each())
    return values
  }
  /** Its 16 bytes. */
  uuid(): Buffer {
    const at = this.take(16)
    return this.bytes.subarray(at, at + 16)
  }
  /** Goes past them: none that is known here matters. */
  tags(): void {
    for (let left = this.unsignedVarint(); left > 0; left--) {
      this.unsignedVarint()
      this.take(this.unsignedVarint())
    }
  }

  private take(size: number): number {
    const at = this.at
    if (size < 0 || at + size > this.bytes.length) {
      throw new RangeError(`a response ends at byte ${this.bytes.length}, ${at + size} were announced`)
    }
    this.at = at + size
    return at
  }
}
