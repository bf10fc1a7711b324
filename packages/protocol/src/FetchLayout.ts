/**
 * How the answer to a fetch is laid out (version 11), and two ways to read it: where it lies, once all of it is there; and
 * while it comes, with the records of each partition in memory of their own, so that they are moved once, and that none of
 * them keeps those of another partition alive.
 *
 * @since 0.1.0
 */
import type { AbortedTransaction } from "@weft/kafka/RecordBatch"
import type { Assembly } from "./Client.ts"
import { Reader } from "./Wire.ts"

/**
 * What came for one partition, as it came.
 *
 * @category models
 * @since 0.1.0
 */
export interface RawPartition {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: bigint
  readonly lastStableOffset: bigint
  readonly abortedTransactions: ReadonlyArray<AbortedTransaction>
  readonly records: Buffer
}

/**
 * What a broker answered, as it came.
 *
 * @category models
 * @since 0.1.0
 */
export interface RawAnswer {
  readonly throttleMs: number
  readonly errorCode: number
  readonly partitions: ReadonlyArray<RawPartition>
}

/** The next bytes that are wanted, and whether they are kept. */
interface Wanted {
  readonly size: number
  readonly isRecords: boolean
}

/** Asks for bytes, and is given them, until the answer is known. */
type Layout = Generator<Wanted, RawAnswer, Buffer>

function* fields(size: number): Generator<Wanted, Reader, Buffer> {
  return new Reader(yield { size, isRecords: false })
}

function* answerLayout(): Layout {
  const head = yield* fields(4 + 2 + 4 + 4)
  const throttleMs = head.int32()
  const errorCode = head.int16()
  // The id of the session that there is not.
  head.int32()
  const partitions: Array<RawPartition> = []
  for (let topics = head.int32(); topics > 0; topics--) yield* topicLayout(partitions)
  return { throttleMs, errorCode, partitions }
}

function* topicLayout(partitions: Array<RawPartition>): Generator<Wanted, void, Buffer> {
  const nameSize = Math.max(0, (yield* fields(2)).int16())
  const name = yield { size: nameSize, isRecords: false }
  const topic = name.toString("utf8")
  for (let left = (yield* fields(4)).int32(); left > 0; left--) partitions.push(yield* partitionLayout(topic))
}

function* partitionLayout(topic: string): Generator<Wanted, RawPartition, Buffer> {
  const head = yield* fields(4 + 2 + 8 + 8 + 8 + 4)
  const partition = head.int32()
  const errorCode = head.int16()
  const highWatermark = head.int64()
  const lastStableOffset = head.int64()
  // Where the log starts.
  head.int64()
  const aborted = Math.max(0, head.int32())
  const rest = yield* fields(aborted * 16 + 4 + 4)
  const abortedTransactions = Array.from({ length: aborted }, () => ({
    producerId: rest.int64(),
    firstOffset: rest.int64()
  }))
  // A replica to prefer, which is only for those who say where they are.
  rest.int32()
  const records = yield { size: Math.max(0, rest.int32()), isRecords: true }
  return { topic, partition, errorCode, highWatermark, lastStableOffset, abortedTransactions, records }
}

const endsEarly = (size: number, announced: number): RangeError =>
  new RangeError(`a response ends at byte ${size}, ${announced} were announced`)

/**
 * Reads an answer in place. Throws a `RangeError` where it ends before what it announces.
 *
 * @category destructors
 * @since 0.1.0
 */
export const read = (bytes: Buffer): RawAnswer => {
  const layout = answerLayout()
  let at = 0
  let step = layout.next()
  while (step.done !== true) {
    const end = at + step.value.size
    if (end > bytes.length) throw endsEarly(bytes.length, end)
    step = layout.next(bytes.subarray(at, end))
    at = end
  }
  return step.value
}

const nothing = Buffer.alloc(0)

/**
 * An answer of `size` bytes that is read while it comes. What is wrong with it is thrown by `answer`, as `read` would.
 *
 * @category constructors
 * @since 0.1.0
 */
export const assemble = (size: number): Assembly<RawAnswer> => new AnswerAssembly(size)

class AnswerAssembly implements Assembly<RawAnswer> {
  private readonly size: number
  private readonly layout = answerLayout()
  private step = this.layout.next()
  private fault: RangeError | undefined
  /** What is wanted, as far as it has come. */
  private part = nothing
  private filled = 0
  /** Of the answer, up to the end of that part. */
  private announced = 0

  constructor(size: number) {
    this.size = size
    this.open()
  }

  take(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end && this.isWanting;) {
      const length = bytes.copy(this.part, this.filled, at, end)
      at += length
      this.wrote(length)
    }
  }

  room(): Buffer | undefined {
    return this.isWanting ? this.part.subarray(this.filled) : undefined
  }

  wrote(size: number): void {
    this.filled += size
    if (this.filled === this.part.length) this.advance()
  }

  answer(): RawAnswer {
    if (this.fault !== undefined) throw this.fault
    if (this.step.done !== true) throw endsEarly(this.size, this.announced)
    return this.step.value
  }

  private get isWanting(): boolean {
    return this.step.done !== true && this.fault === undefined
  }

  /** Parts without bytes are whole as soon as they are wanted. */
  private advance(): void {
    do {
      this.step = this.layout.next(this.part)
      this.open()
    } while (this.isWanting && this.part.length === 0)
  }

  private open(): void {
    if (this.step.done === true) return
    const { isRecords, size } = this.step.value
    this.announced += size
    this.filled = 0
    if (this.announced > this.size) this.fault = endsEarly(this.size, this.announced)
    else if (size === 0) this.part = nothing
    else this.part = isRecords ? Buffer.allocUnsafeSlow(size) : Buffer.allocUnsafe(size)
  }
}
