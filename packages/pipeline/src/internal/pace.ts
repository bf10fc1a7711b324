/** Waits from one time to the next by an interval that may change while it waits. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { SchedulerDispatcher } from "effect/Scheduler"
import { Wake } from "./wake.ts"

/** Not the time of day: set back, it would make a wait as much longer. */
const elapsedMs = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

export class Pace {
  private readonly intervalMs: () => number
  private readonly changed: Wake

  constructor(dispatcher: SchedulerDispatcher, intervalMs: () => number) {
    this.intervalMs = intervalMs
    this.changed = new Wake(dispatcher)
  }

  /** The interval may be another one from now on; time that has passed counts. */
  readonly reconsider = (): void => this.changed.signal()

  readonly wait: Effect.Effect<void> = Effect.flatMap(elapsedMs, (from) => this.until(from))

  private until(from: number): Effect.Effect<void> {
    return Effect.flatMap(elapsedMs, (now) => {
      const rest = from + this.intervalMs() - now
      return rest <= 0 ? Effect.void : Effect.flatMap(
        Effect.raceFirst(Effect.as(Effect.sleep(rest), true), Effect.as(this.changed.wait, false)),
        (isOver) => isOver ? Effect.void : this.until(from)
      )
    })
  }
}
