/** What those who commit more or less often are measured by. */
import { Progress, type Result, type Task } from "./Contender.ts"

export const commitIntervalMs = 5_000
/** With one of them well within it. */
const lastsMs = 6_000

/** How many commits were made while it read. */
export class Commits {
  readonly progress: Progress
  private count = 0
  private isOver = false
  constructor({ records }: Pick<Task, "records">) {
    this.progress = new Progress(records, lastsMs)
    void this.progress.done.then(() => {
      this.isOver = true
    })
  }
  readonly made = (): void => {
    if (!this.isOver) this.count++
  }
  result(): Result {
    const result = this.progress.result()
    return { ...result, figures: { "records/s": result.recordsPerSecond, "commits": this.count } }
  }
}
