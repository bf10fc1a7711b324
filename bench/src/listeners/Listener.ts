/** A consumer that tells of each record, for what is measured of single records and of memberships. */

export interface Listening {
  readonly brokers: ReadonlyArray<string>
  readonly topic: string
  readonly group: string
  readonly onRecord: (value: Uint8Array, partition: number) => void
  /** It has been given its partitions, for the first time or anew. */
  readonly onAssigned?: (() => void) | undefined
  /** Then it leaves its group in order. */
  readonly until: Promise<void>
}

/** Ends when it has left. */
export type Listener = (listening: Listening) => Promise<void>

/**
 * The same for all: Kafka's own defaults of the heartbeat and the session, and offsets committed every five seconds, which
 * is the one way that all of them have.
 */
export const groupSettings = {
  heartbeatMs: 3_000,
  sessionMs: 45_000,
  commitIntervalMs: 5_000
}
