/**
 * A record as handlers and loops see it.
 *
 * @since 0.1.0
 */

/**
 * A header as it stands in the record; names may repeat.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecordHeader {
  readonly name: string
  readonly value: Uint8Array | null
}

/** What a record is a view of. */
interface Source<V, K> {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: number
  readonly key: K | null
  readonly value: V
  readonly attempt: number
  readonly headers: ReadonlyArray<RecordHeader>
  header(name: string): Uint8Array | null | undefined
  headerText(name: string): string | undefined
}

/**
 * A record, its key and value decoded.
 *
 * A record keeps the buffer of its whole fetched batch alive: what outlives the handler should hold the value.
 *
 * @category models
 * @since 0.1.0
 */
export class WeftRecord<out V, out K = string> {
  readonly #source: Source<V, K>
  /** @internal */
  constructor(source: Source<V, K>) {
    this.#source = source
  }
  get topic(): string {
    return this.#source.topic
  }
  get partition(): number {
    return this.#source.partition
  }
  get offset(): bigint {
    return this.#source.offset
  }
  /** Milliseconds since 1970; -1 where the record has none. */
  get timestamp(): number {
    return this.#source.timestamp
  }
  /** `null` where the record has no key. */
  get key(): K | null {
    return this.#source.key
  }
  get value(): V {
    return this.#source.value
  }
  /** Which attempt this is for this member: 1 at first, 2 after the first failure, and so on. */
  get attempt(): number {
    return this.#source.attempt
  }
  /** All headers, in order, duplicates kept. */
  get headers(): ReadonlyArray<RecordHeader> {
    return this.#source.headers
  }
  /** The last header of this name as text; `undefined` where there is none. */
  header(name: string): string | undefined {
    return this.#source.headerText(name)
  }
  /** The last header of this name as bytes. */
  headerBytes(name: string): Uint8Array | null | undefined {
    return this.#source.header(name)
  }
  /** `topic-partition@offset`, for logs and errors. */
  toString(): string {
    return `${this.topic}-${this.partition}@${this.offset}`
  }
}

/**
 * A record of a loop, which says itself when it is done.
 *
 * @category models
 * @since 0.1.0
 */
export class HeldRecord<out V, out K = string> extends WeftRecord<V, K> {
  readonly #settle: (outcome: { readonly error: unknown } | undefined) => Promise<void>
  /** @internal */
  constructor(
    source: Source<V, K>,
    settle: (outcome: { readonly error: unknown } | undefined) => Promise<void>
  ) {
    super(source)
    this.#settle = settle
  }
  /**
   * The record is done. Answers when the broker has every offset of the partition up to the first record that is not
   * done; rejects with the code `FENCED` where the partition was given up meanwhile. Doing it twice does nothing.
   */
  commit(): Promise<void> {
    return this.#settle(undefined)
  }
  /** The record failed: what follows is what `onFailure` says of this error (a retry, a dead letter, ...). */
  reject(error: unknown): Promise<void> {
    return this.#settle({ error })
  }
}
