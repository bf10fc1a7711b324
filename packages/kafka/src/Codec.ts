/**
 * How bytes become values, and values bytes. A codec reads in place: it is given the buffer of a whole record batch and
 * the range that is its own, so that nothing is sliced for records that nobody looks at.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaJITCompiler from "effect/schema/SchemaJITCompiler"
import type { ConsumerRecord } from "./ConsumerRecord.ts"
import type { ByteRange } from "./FetchedBatch.ts"
import { nodeBuffer, part } from "./internal/byteViews.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Codec<A> {
  /** Never throws; the failure is whatever explains it best. */
  readonly decode: (buffer: Uint8Array, start: number, end: number) => Result.Result<A, unknown>
  readonly encode: (value: A) => Result.Result<Uint8Array, unknown>
}

/**
 * The bytes of a key or a value that the codec does not accept. A value, not a crash: it carries the raw record, so that
 * a policy can skip or dead-letter it as it came.
 *
 * @category errors
 * @since 0.1.0
 */
export class DecodeError extends Data.TaggedError("DecodeError")<{
  readonly record: ConsumerRecord
  readonly part: "key" | "value"
  readonly cause: unknown
}> {
  override get message(): string {
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `the ${this.part} of ${this.record} cannot be decoded: ${why}`
  }
}

/**
 * A value that the codec cannot turn into bytes.
 *
 * @category errors
 * @since 0.1.0
 */
export class EncodeError extends Data.TaggedError("EncodeError")<{
  readonly cause: unknown
}> {
  override get message(): string {
    return `the value cannot be encoded: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/**
 * The bytes themselves: a view, without a copy.
 *
 * @category constructors
 * @since 0.1.0
 */
export const bytes: Codec<Uint8Array> = {
  decode: (buffer, start, end) => Result.succeed(part(buffer, start, end)),
  encode: Result.succeed
}

/**
 * UTF-8 text. Bytes that are no UTF-8 become U+FFFD, as everywhere in Kafka's own tools; it never fails.
 *
 * @category constructors
 * @since 0.1.0
 */
export const string: Codec<string> = {
  decode: (buffer, start, end) => Result.succeed(nodeBuffer(buffer).toString("utf8", start, end)),
  encode: (value) => Result.succeed(Buffer.from(value, "utf8"))
}

// For every record: `Result.try` would make two functions each time.
const parseJson = (buffer: Uint8Array, start: number, end: number): Result.Result<unknown, unknown> => {
  try {
    return Result.succeed(JSON.parse(nodeBuffer(buffer).toString("utf8", start, end)) as unknown)
  } catch (cause) {
    return Result.fail(cause)
  }
}

/**
 * JSON, checked by a Schema. Fails on what is no JSON (also on 0 bytes), on what the Schema refuses, and where the Schema's own
 * functions throw or do not answer at once.
 *
 * **Details**
 *
 * Effect compiles the Schema to a function when the first record comes, and goes on to interpret it where functions may not be
 * made at run time (`node --disallow-code-generation-from-strings`).
 *
 * @category constructors
 * @since 0.1.0
 */
export const json = <A, I>(schema: Schema.Codec<A, I>): Codec<A> => {
  SchemaJITCompiler.enable(schema.ast)
  const decode = Schema.decodeUnknownResult(schema)
  const encode = Schema.encodeUnknownResult(schema)
  return {
    decode: (buffer, start, end) => {
      const parsed = parseJson(buffer, start, end)
      if (Result.isFailure(parsed)) return parsed as Result.Result<never, unknown>
      try {
        return decode(parsed.success)
      } catch (error) {
        return Result.fail(thrownBy(error))
      }
    },
    encode: (value) => Result.flatMap(Result.try({ try: () => encode(value), catch: thrownBy }), encodedJson)
  }
}

const encodedJson = (encoded: Result.Result<unknown, unknown>): Result.Result<Uint8Array, unknown> =>
  Result.flatMap(encoded, stringifyJson)

/** Of a Schema whose own functions throw, or do not answer at once, Effect throws what it knows as a cause. */
const thrownBy = (error: unknown): unknown =>
  error instanceof Error && Cause.isCause(error.cause) ? Cause.squash(error.cause) : error

/**
 * Any JSON, unchecked: what `JSON.parse` answers.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unknownJson: Codec<unknown> = {
  decode: parseJson,
  encode: (value) => stringifyJson(value)
}

const stringifyJson = (value: unknown): Result.Result<Uint8Array, unknown> =>
  Result.try({ try: () => Buffer.from(JSON.stringify(value), "utf8"), catch: (cause) => cause })

/**
 * A codec for another type, through a pair of functions that may fail.
 *
 * @category combinators
 * @since 0.1.0
 */
export const transform = <A, B>(self: Codec<A>, options: {
  readonly decode: (a: A) => Result.Result<B, unknown>
  readonly encode: (b: B) => Result.Result<A, unknown>
}): Codec<B> => ({
  decode: (buffer, start, end) => Result.flatMap(self.decode(buffer, start, end), options.decode),
  encode: (value) => Result.flatMap(options.encode(value), self.encode)
})

const decodeRange = <A>(
  codec: Codec<A>,
  range: ByteRange | undefined,
  record: ConsumerRecord,
  part: "key" | "value"
): Result.Result<A | null, DecodeError> => {
  if (range === undefined) return nullResult
  // A codec that throws all the same must not cost more than its record.
  try {
    const result = codec.decode(range.buffer, range.start, range.end)
    return Result.isSuccess(result)
      ? result as Result.Result<A, never>
      : Result.fail(new DecodeError({ record, part, cause: result.failure }))
  } catch (cause) {
    return Result.fail(new DecodeError({ record, part, cause }))
  }
}

const nullResult: Result.Result<null, never> = Result.succeed(null)

/**
 * A record's value by a codec; a tombstone is `null`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const decodeValue = <A>(codec: Codec<A>, record: ConsumerRecord): Result.Result<A | null, DecodeError> =>
  decodeRange(codec, record.batch.value(record.index), record, "value")

/**
 * A record's key by a codec; no key is `null`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const decodeKey = <A>(codec: Codec<A>, record: ConsumerRecord): Result.Result<A | null, DecodeError> =>
  decodeRange(codec, record.batch.key(record.index), record, "key")

/**
 * A value's bytes; `null` stays `null` (a tombstone, no key).
 *
 * @category accessors
 * @since 0.1.0
 */
export const encode = <A>(codec: Codec<A>, value: A | null): Result.Result<Uint8Array | null, EncodeError> => {
  if (value === null) return nullResult
  const result = codec.encode(value)
  return Result.isSuccess(result)
    ? Result.succeed(result.success)
    : Result.fail(new EncodeError({ cause: result.failure }))
}
