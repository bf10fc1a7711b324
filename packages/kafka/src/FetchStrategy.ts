/**
 * Which partitions may fetch again once the buffers of a consumer, full as a whole, have room.
 *
 * @since 0.1.0
 */
import type { TopicPartition } from "./TopicPartition.ts"

/**
 * A partition whose fetching back-pressure has paused.
 *
 * @category models
 * @since 0.1.0
 */
export interface Candidate {
  readonly topicPartition: TopicPartition
  /** What still waits in its partition queue. */
  readonly records: number
  readonly bytes: number
}

/**
 * Answers the partitions to resume, of those given. `budgetBytes` is the room that is left; a resumed partition may
 * bring `fetchBytes` at once. Pure: the same question has the same answer.
 *
 * @category models
 * @since 0.1.0
 */
export type FetchStrategy = (
  candidates: ReadonlyArray<Candidate>,
  room: { readonly budgetBytes: number; readonly fetchBytes: number }
) => ReadonlyArray<TopicPartition>

/**
 * The emptiest queues first, as many as the room allows and at least one: a partition whose handler is slow never starves
 * the others, and a fast one never waits behind a full one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const emptiestFirst: FetchStrategy = (candidates, { budgetBytes, fetchBytes }) =>
  [...candidates]
    .sort((a, b) => a.bytes - b.bytes || a.records - b.records)
    .slice(0, Math.max(1, Math.floor(budgetBytes / fetchBytes)))
    .map((candidate) => candidate.topicPartition)
