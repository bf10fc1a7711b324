/**
 * The mechanism OAUTHBEARER (RFC 7628), since kafkajs's own takes a refusal for consent: the broker says it inside an answer
 * that is no error.
 */
import type { Mechanism } from "kafkajs"

/** kafkajs hands on what stands behind a length of four bytes, and wants it like that. */
const lengthSize = 4

const withLength = (bytes: Buffer): Buffer => {
  const length = Buffer.alloc(lengthSize)
  length.writeInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** Named as kafkajs names what its own mechanisms throw. */
class TokenRefused extends Error {
  override readonly name = "KafkaJSSASLAuthenticationError"
  readonly retriable = false
}

const response = {
  decode: (raw: Buffer): Buffer => raw.subarray(lengthSize),
  parse: (refusal: Buffer): string => refusal.toString()
}

/** `token` is asked for at each authentication. */
export const oauthBearer = (token: () => Promise<string>): Mechanism => ({
  mechanism: "oauthbearer",
  authenticationProvider: ({ saslAuthenticate }) => ({
    authenticate: () =>
      token().then((value) => {
        const message = withLength(Buffer.from(`n,,\x01auth=Bearer ${value}\x01\x01`))
        return saslAuthenticate({ request: { encode: () => message }, response })
      }).then((refusal) => {
        if (refusal) throw new TokenRefused(`the broker refuses the token: ${refusal}`)
      })
  })
})
