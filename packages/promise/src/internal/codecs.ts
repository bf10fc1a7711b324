/** Decoders as codecs. */
import type * as Codec from "@weft/kafka/Codec"
import * as Result from "effect/Result"
import type { Decoder } from "../Decoder.ts"

export const codec = <A>(decoder: Decoder<A>): Codec.Codec<A> => ({
  decode: (buffer, start, end) =>
    Result.try({
      try: () => decoder(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end)),
      catch: (cause) => cause
    }),
  encode: () => Result.fail("a decoder encodes nothing")
})
