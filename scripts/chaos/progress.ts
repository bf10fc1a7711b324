/** Whether the group gets on with its work, by what it commits. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Checkpoints, Committed } from "./checkpoints.ts"

/** A partition with records to do that does not move for so long is stuck, whatever the faults. */
const stuckMs = 90_000
/** When the faults are over, the group may take its time for what is left, but not stand still for so long. */
const standStillMs = 90_000

/** Tells of partitions that stand still though they have work. */
export class Progress {
  private readonly moved = new Map<number, { readonly offset: number; readonly atMs: number }>()
  private readonly onViolation: (text: string) => void

  constructor(onViolation: (text: string) => void) {
    this.onViolation = onViolation
  }

  observe(committed: ReadonlyArray<Committed>, ends: ReadonlyArray<number>, now: number): void {
    for (const { offset, partition } of committed) {
      const before = this.moved.get(partition)
      const end = ends[partition]!
      if (before !== undefined && before.offset === offset && offset < end) {
        if (now - before.atMs <= stuckMs) continue
        this.onViolation(`stuck: partition ${partition} stands at ${offset} of ${end} since ${stuckMs / 1_000} s`)
      }
      this.moved.set(partition, { offset, atMs: now })
    }
  }
}

/** Waits until everything in the input is committed; `false` where nothing moves any more. */
export const isDone = async (
  checkpoints: Checkpoints,
  ends: ReadonlyArray<number>,
  signal: AbortSignal
): Promise<boolean> => {
  let left = Infinity
  let deadline = Date.now() + standStillMs
  while (Date.now() < deadline && !signal.aborted) {
    const committed = await checkpoints.committed().catch((): ReadonlyArray<Committed> => [])
    const offsets = new Map(committed.map(({ offset, partition }) => [partition, offset]))
    const now = ends.reduce(
      (sum, end, partition) => sum + Math.max(0, end - Math.max(0, offsets.get(partition) ?? 0)),
      0
    )
    if (now === 0) return true
    if (now < left) deadline = Date.now() + standStillMs
    left = Math.min(left, now)
    await sleep(500)
  }
  return signal.aborted
}
