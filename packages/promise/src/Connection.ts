/**
 * Which Kafka a consumer talks to, and by which client library.
 *
 * @since 0.1.0
 */

/**
 * The client libraries that a consumer can be on.
 *
 * @category models
 * @since 0.1.0
 */
export type TransportName = "kafkajs" | "platformatic"

/**
 * How to prove who one is. A `token` is asked for at each authentication.
 *
 * @category models
 * @since 0.1.0
 */
export type Sasl =
  | {
    readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512"
    readonly username: string
    readonly password: string
  }
  | { readonly mechanism: "oauthbearer"; readonly token: () => Promise<string> }

/**
 * A Kafka that consumers can talk to, such as that of a `TestCluster`. Nothing connects before a consumer runs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Connection {
  /** The client library: `kafkajs` or `memory`. */
  readonly transport: string
}
