/**
 * A signal that one fiber waits for. A signal given while nobody waits is kept, several are one. The fiber is resumed in
 * a task of its own, never inside the call that signals: state that is being changed is not seen half-way.
 */
import * as Effect from "effect/Effect"
import type { SchedulerDispatcher } from "effect/Scheduler"

export class Wake {
  private readonly dispatcher: SchedulerDispatcher
  private resume: (() => void) | undefined = undefined
  private raised = false

  constructor(dispatcher: SchedulerDispatcher) {
    this.dispatcher = dispatcher
  }

  readonly wait: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.raised) {
      this.raised = false
      return resume(Effect.void)
    }
    const mine = () => resume(Effect.void)
    this.resume = mine
    return Effect.sync(() => {
      if (this.resume === mine) this.resume = undefined
    })
  })

  signal(): void {
    const { resume } = this
    if (resume === undefined) {
      this.raised = true
      return
    }
    this.resume = undefined
    this.dispatcher.scheduleTask(resume, 0)
  }
}
