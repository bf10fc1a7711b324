/** A `FetchedBatch` over what kafkajs decoded: one object for a fetched partition, none for a record. */
import type { ByteRange, FetchedBatch, TimestampType } from "@weft/kafka/FetchedBatch"
import { headersOf, isMany, type MessageHeader } from "./headers.ts"
import type { FetchedPartition, Message } from "./inside.ts"

/**
 * What a record costs beyond its bytes: kafkajs makes an object, two strings, two views and a header object of each, and
 * another view and name of each header. Measured on V8, rounded up.
 */
const recordOverhead = 450
const headerOverhead = 110

class MessagesBatch implements FetchedBatch {
  readonly topic: string
  readonly partition: number
  readonly byteLength: number
  readonly nextOffset: bigint
  readonly highWatermark: bigint
  readonly leaderEpoch: number | undefined
  private readonly messages: ReadonlyArray<Message>

  constructor(
    topic: string,
    partition: number,
    messages: ReadonlyArray<Message>,
    nextOffset: bigint,
    highWatermark: bigint
  ) {
    this.topic = topic
    this.partition = partition
    this.messages = messages
    this.nextOffset = nextOffset
    this.highWatermark = highWatermark
    this.leaderEpoch = messages[messages.length - 1]?.batchContext?.partitionLeaderEpoch
    let bytes = messages.length * recordOverhead
    for (const { headers, key, value } of messages) {
      bytes += (key === null ? 0 : key.length) + (value === null ? 0 : value.length)
      if (headers !== undefined) {
        for (const name in headers) bytes += headerOverhead + name.length + headerBytes(headers[name]!)
      }
    }
    this.byteLength = bytes
  }
  get count(): number {
    return this.messages.length
  }
  offset(index: number): bigint {
    return BigInt(this.messages[index]!.offset)
  }
  timestamp(index: number): number {
    return Number(this.messages[index]!.timestamp ?? -1)
  }
  timestampType(index: number): TimestampType {
    return this.messages[index]!.batchContext?.timestampType === 1 ? "LogAppendTime" : "CreateTime"
  }
  key(index: number): ByteRange | undefined {
    return rangeOf(this.messages[index]!.key)
  }
  value(index: number): ByteRange | undefined {
    return rangeOf(this.messages[index]!.value)
  }
  headers(index: number): ReturnType<typeof headersOf> {
    return headersOf(this.messages[index]!)
  }
}

const headerBytes = (value: MessageHeader): number =>
  value === null ? 0 : isMany(value) ? value.reduce((bytes, one) => bytes + (one?.length ?? 0), 0) : value.length

const rangeOf = (bytes: Buffer | null): ByteRange | undefined =>
  bytes === null ? undefined : { buffer: bytes, start: 0, end: bytes.length }

/**
 * The batch that an answer to a fetch from `position` holds, or `undefined` where it holds nothing new. Records below the
 * position (a compressed batch begins earlier), control records and those of aborted transactions are left out, but the
 * next offset goes beyond them, and beyond what compaction took away.
 */
export const fromFetch = (
  topic: string,
  fetched: FetchedPartition,
  position: bigint,
  isolationLevel: 0 | 1
): FetchedBatch | undefined => {
  const { messages } = fetched
  const last = messages[messages.length - 1]
  if (last === undefined) return undefined
  const context = last.batchContext
  const nextOffset =
    (context === undefined ? BigInt(last.offset) : BigInt(context.firstOffset) + BigInt(context.lastOffsetDelta)) + 1n
  if (nextOffset <= position) return undefined
  const end = BigInt(isolationLevel === 1 ? fetched.lastStableOffset ?? fetched.highWatermark : fetched.highWatermark)
  return new MessagesBatch(topic, fetched.partition, visible(fetched, position, isolationLevel), nextOffset, end)
}

const visible = (
  { abortedTransactions = [], messages }: FetchedPartition,
  position: bigint,
  isolationLevel: 0 | 1
): ReadonlyArray<Message> => {
  const startsEarlier = BigInt(messages[0]!.offset) < position
  const hasAborted = isolationLevel === 1 && abortedTransactions.length > 0
  if (!startsEarlier && !hasAborted && !messages.some(isControl)) return messages
  const isAborted = hasAborted ? abortedBy(abortedTransactions) : () => false
  // The markers of aborted transactions count even where their records are below the position.
  return messages.filter((message) =>
    !isAborted(message) && !isControl(message) && (!startsEarlier || BigInt(message.offset) >= position)
  )
}

const isControl = (message: Message): boolean => message.isControlRecord === true

/** The key of a control record: version 0, type 0 (abort). */
const abortMarker = Buffer.from([0, 0, 0, 0])

/** To be asked of each record in order. A producer's aborted transaction goes from its first offset to its abort marker. */
const abortedBy = (
  transactions: NonNullable<FetchedPartition["abortedTransactions"]>
): (message: Message) => boolean => {
  const toCome = transactions
    .map(({ firstOffset, producerId }) => ({ producerId, firstOffset: BigInt(firstOffset) }))
    .sort((a, b) => a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0)
  const open = new Set<string>()
  let next = 0
  return (message) => {
    const offset = BigInt(message.offset)
    while (next < toCome.length && toCome[next]!.firstOffset <= offset) open.add(toCome[next++]!.producerId)
    const context = message.batchContext
    if (context === undefined) return false
    if (isControl(message)) {
      if (message.key !== null && message.key.equals(abortMarker)) open.delete(context.producerId)
      return false
    }
    return context.inTransaction && open.has(context.producerId)
  }
}
