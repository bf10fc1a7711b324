import { TransportError } from "../KafkaError.ts"

/** What a client library, or we with it, died of: a new membership may go on. */
export const transportDefect = (transport: string, cause: unknown): TransportError =>
  new TransportError({ transport, reason: "defect", retriable: true, cause })
