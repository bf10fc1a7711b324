/**
 * How bytes become values. A decoder that throws makes the record a dead letter, unless `onFailure.DecodeError` says
 * otherwise.
 *
 * @since 0.1.0
 */

/**
 * Bytes to a value; it throws where it does not accept them. The bytes are a view that lives as long as their whole
 * fetched batch.
 *
 * @category models
 * @since 0.1.0
 */
export type Decoder<A> = (bytes: Uint8Array) => A

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/**
 * The bytes as they are.
 *
 * @category decoders
 * @since 0.1.0
 */
export const bytes: Decoder<Uint8Array> = (input) => input

/**
 * UTF-8; what is none becomes U+FFFD.
 *
 * @category decoders
 * @since 0.1.0
 */
export const text: Decoder<string> = (input) => buffer(input).toString("utf8")

/**
 * JSON, checked where a check is given: a function that answers the value or throws, such as `Location.parse` of a Zod
 * schema. Without a check, `A` is what the caller says it is.
 *
 * @category decoders
 * @since 0.1.0
 */
export const json = <A = unknown>(check?: (value: unknown) => A): Decoder<A> => (input) => {
  const value: unknown = JSON.parse(text(input))
  return check === undefined ? value as A : check(value)
}
