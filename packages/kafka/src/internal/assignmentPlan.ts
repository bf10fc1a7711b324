/** Today's partitions and the assignment that a join brought: what stays, what comes, what goes. */
import type { TopicPartition } from "../TopicPartition.ts"

export interface AssignmentPlan {
  readonly kept: ReadonlyArray<TopicPartition>
  readonly added: ReadonlyArray<TopicPartition>
  readonly revoked: ReadonlyArray<TopicPartition>
}

export const plan = (
  held: Iterable<TopicPartition>,
  assigned: ReadonlyArray<TopicPartition>
): AssignmentPlan => {
  const target = new Map(assigned.map((partition) => [partition.key, partition]))
  const kept: Array<TopicPartition> = []
  const revoked: Array<TopicPartition> = []
  for (const partition of held) {
    if (target.delete(partition.key)) kept.push(partition)
    else revoked.push(partition)
  }
  return { kept, added: [...target.values()], revoked }
}
