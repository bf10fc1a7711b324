/**
 * Wakes one waiting fiber. A call before the wait is not lost, and many calls wake once.
 */
import * as Effect from "effect/Effect"
import type { Timers } from "./timers.ts"

export interface Signal {
  readonly notify: () => void
  /** Waits for a call, or until a time. */
  readonly wait: (until?: number) => Effect.Effect<void>
}

export const make = (timers: Timers): Signal => {
  let called = false
  let waiter: (() => void) | undefined
  return {
    notify: () => {
      called = true
      if (waiter === undefined) return
      const wake = waiter
      waiter = undefined
      timers.defer(wake)
    },
    wait: (until) =>
      Effect.callback<void>((resume) => {
        if (called) {
          called = false
          return resume(Effect.void)
        }
        const cancel = until === undefined ? undefined : timers.at(until, () => {
          waiter = undefined
          resume(Effect.void)
        })
        waiter = () => {
          cancel?.()
          called = false
          resume(Effect.void)
        }
        return Effect.sync(() => {
          cancel?.()
          waiter = undefined
        })
      })
  }
}
