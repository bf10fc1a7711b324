/** The topic again and again: what happens every ten seconds is not to be seen in the half second that reading it takes. */
import type { Progress } from "./Contender.ts"

/**
 * At the end of the topic the broker keeps a fetch waiting, and nothing can be fetched meanwhile: with the time of the other
 * workloads a lap would be as much waiting as reading.
 */
export const lapMaxWaitMs = 5

/** Where one consumer is in its lap. Calls `again` when it has seen the last record, to have it go back to the first. */
export class Laps {
  private readonly records: number
  private readonly progress: Pick<Progress, "seen">
  private readonly again: () => void
  private left: number
  constructor(records: number, progress: Pick<Progress, "seen">, again: () => void) {
    this.records = records
    this.progress = progress
    this.again = again
    this.left = records
  }
  /** For every batch, or for every record. */
  seen(records: number, bytes: number): void {
    this.progress.seen(records, bytes)
    this.left -= records
    if (this.left > 0) return
    this.left = this.records
    this.again()
  }
}
