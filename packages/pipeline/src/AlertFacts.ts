/**
 * What alerts are judged by: how far behind each partition is, how each service fares, and from which lag on that is bad.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { LagStatus } from "./LagStatus.ts"

/**
 * A partition, as last measured.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionFacts {
  readonly service: string
  readonly topic: string
  readonly partition: number
  /** When it was measured, milliseconds since 1970. */
  readonly at: number
  /** Records behind. */
  readonly lag: number
  /** The age of the oldest record that is not settled; `undefined` where it is not known. */
  readonly lagSeconds: number | undefined
  /** The first offset that is not settled. */
  readonly offset: bigint
  readonly end: bigint
  /** Who holds it; empty where nobody does or it is not known. */
  readonly member: string
  readonly status: LagStatus
}

/**
 * A service: sums over its members and topics, over the last minutes.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceFacts {
  readonly service: string
  /** When it was last measured, milliseconds since 1970. */
  readonly at: number
  /** Of the last {@link outcomesWindowMs}. */
  readonly processed: number
  readonly failures: number
  readonly deadLetters: number
  /** Of the last {@link troubleWindowMs}. */
  readonly crashes: number
  readonly commitFailures: number
  /** Of the member with the most: a rebalance of the group is one for each of its members. */
  readonly rebalances: number
  /** Members that have been heard of lately; `undefined` where members do not report. */
  readonly members: number | undefined
  /** When a member was last heard of; `undefined`: never. */
  readonly memberSeenAt: number | undefined
  /** Its members said that they leave: nobody expects them. */
  readonly hasLeft: boolean
  /** The longest time without progress that its configuration allows. */
  readonly maxPollIntervalMs: number
}

/**
 * The time over which what became of records is summed.
 *
 * @category constants
 * @since 0.1.0
 */
export const outcomesWindowMs = 5 * 60_000

/**
 * The time over which crashes, failed commits and rebalances are counted.
 *
 * @category constants
 * @since 0.1.0
 */
export const troubleWindowMs = 15 * 60_000

/**
 * A member that was not heard of for so long is gone.
 *
 * @category constants
 * @since 0.1.0
 */
export const memberGoneAfterMs = 120_000

/**
 * Above which lag of a partition a service is in trouble. What is left out is never too much.
 *
 * @category models
 * @since 0.1.0
 */
export interface LagThresholds {
  readonly warningLag?: number | undefined
  readonly criticalLag?: number | undefined
  readonly warningSeconds?: number | undefined
  readonly criticalSeconds?: number | undefined
}

/**
 * Those of a service that has none of its own: 1000 and 10000 records, 5 and 30 minutes.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultThresholds: LagThresholds = {
  warningLag: 1_000,
  criticalLag: 10_000,
  warningSeconds: 300,
  criticalSeconds: 1_800
}

/**
 * Everything that one look sees.
 *
 * @category models
 * @since 0.1.0
 */
export interface Facts {
  readonly partitions: ReadonlyArray<PartitionFacts>
  readonly services: ReadonlyArray<ServiceFacts>
  /** By service; others have {@link defaultThresholds}. */
  readonly thresholds: ReadonlyMap<string, LagThresholds>
}

/**
 * The facts could not be had; the next look tries again.
 *
 * @category errors
 * @since 0.1.0
 */
export class AlertFactsError extends Data.TaggedError("AlertFactsError")<{
  readonly message: string
  readonly cause: unknown
}> {}

/**
 * Where the facts come from.
 *
 * @category services
 * @since 0.1.0
 */
export class AlertFacts extends Context.Service<AlertFacts, {
  readonly look: Effect.Effect<Facts, AlertFactsError>
}>()("@weft/pipeline/AlertFacts") {}
