import { openClient } from "../../src/internal/client.ts"

/** A client of brokers that need no security, and are given up soon. */
export const clientOf = (brokers: ReadonlyArray<string>, requestTimeoutMs = 1000) =>
  openClient({
    brokers,
    groupInstanceId: undefined,
    clientId: "weft",
    requestTimeoutMs,
    connectionTimeoutMs: 300,
    authenticationTimeoutMs: 300,
    tls: undefined,
    sasl: undefined
  })
