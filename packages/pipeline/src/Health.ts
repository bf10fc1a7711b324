/**
 * Whether a pipeline is started, ready and live: the three probes of an orchestrator. Pure: what was known, and what the
 * consumer told.
 *
 * Liveness fails for one thing only: the pipeline has failed for good, and nothing in its process will start it again.
 * Whatever a restart does not cure is readiness: brokers or a database that are away, a client that crashed and is being
 * replaced. A stalled partition is neither; a restart would begin with the same record, and cost a rebalance.
 *
 * @since 0.1.0
 */
import type { ConsumerEvent } from "@weft/kafka/ConsumerEvent"
import { keyOf } from "@weft/kafka/TopicPartition"
import * as Cause from "effect/Cause"
import type { PipelineError } from "./PipelineError.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Health {
  /** It has joined its group at least once. */
  readonly started: boolean
  /** It is a member of its group now; `false` while a crashed client is replaced, and once it has failed or stopped. */
  readonly ready: boolean
  /** `false` once it has failed for good: only a new start will help. */
  readonly live: boolean
  /** Why it is not ready or not live. */
  readonly reason: string | undefined
  /** Partitions that made no progress for `max_poll_interval_ms`, as `topic-partition`. */
  readonly stalled: ReadonlyArray<string>
}

/**
 * @category constructors
 * @since 0.1.0
 */
export const initial: Health = {
  started: false,
  ready: false,
  live: true,
  reason: "it has not joined its group yet",
  stalled: []
}

const leftReasons = {
  rejoin: "it is joining its group again",
  shutdown: "it has left its group",
  failure: "it has left its group after a failure"
} as const

const without = (stalled: ReadonlyArray<string>, keys: ReadonlyArray<string>): ReadonlyArray<string> =>
  stalled.some((key) => keys.includes(key)) ? stalled.filter((key) => !keys.includes(key)) : stalled

/**
 * What is known after an event of the consumer.
 *
 * @category combinators
 * @since 0.1.0
 */
export const observe = (health: Health, event: ConsumerEvent): Health => {
  switch (event._tag) {
    case "Assigned":
      return health.live ? { ...health, started: true, ready: true, reason: undefined } : health
    case "Crashed":
      return { ...health, ready: false, reason: event.error.message }
    case "Stalled": {
      const key = keyOf(event.topic, event.partition)
      return health.stalled.includes(key) ? health : { ...health, stalled: [...health.stalled, key] }
    }
    case "Left":
      return health.live ? { ...health, ready: false, reason: leftReasons[event.reason] } : health
    case "Lost":
      return {
        ...health,
        ready: false,
        reason: "its membership was lost",
        stalled: without(health.stalled, event.partitions.map((partition) => partition.key))
      }
    case "Revoked":
      return { ...health, stalled: without(health.stalled, event.partitions.map((partition) => partition.key)) }
    case "StallEnded":
      return { ...health, stalled: without(health.stalled, [keyOf(event.topic, event.partition)]) }
    default:
      return health
  }
}

/**
 * What is known once the pipeline has failed for good.
 *
 * @category combinators
 * @since 0.1.0
 */
export const failed = (health: Health, cause: Cause.Cause<PipelineError>): Health => {
  const error = Cause.squash(cause)
  return { ...health, ready: false, live: false, reason: error instanceof Error ? error.message : String(error) }
}

/**
 * What is known once the pipeline was stopped.
 *
 * @category combinators
 * @since 0.1.0
 */
export const stopped = (health: Health): Health =>
  health.live ? { ...health, ready: false, reason: "it was stopped" } : health

/**
 * The probes of an orchestrator.
 *
 * @category models
 * @since 0.1.0
 */
export type Probe = "started" | "ready" | "live"

/**
 * The health of a pipeline, with the name of its service.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServiceHealth extends Health {
  readonly service: string
}

/**
 * What a probe is answered.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProbeReport {
  readonly probe: Probe
  readonly ok: boolean
  /** One sentence for each pipeline for which it is not; those that only have a stalled partition are told, too. */
  readonly reasons: ReadonlyArray<string>
  readonly pipelines: ReadonlyArray<ServiceHealth>
}

const reasonsOf = (one: ServiceHealth, probe: Probe): ReadonlyArray<string> => [
  ...(one[probe] ? [] : [`${one.service}: ${one.reason ?? `not ${probe}`}`]),
  ...(one.stalled.length > 0 ? [`${one.service}: no progress on ${one.stalled.join(", ")}`] : [])
]

/**
 * What a process with these pipelines answers to a probe: it is started, ready, or live, if all of them are. Without any
 * it is live, and nothing else.
 *
 * @category combinators
 * @since 0.1.0
 */
export const report = (probe: Probe, pipelines: ReadonlyArray<ServiceHealth>): ProbeReport => ({
  probe,
  ok: pipelines.length === 0 ? probe === "live" : pipelines.every((one) => one[probe]),
  reasons: pipelines.length === 0 ? ["no pipeline runs"] : pipelines.flatMap((one) => reasonsOf(one, probe)),
  pipelines
})
