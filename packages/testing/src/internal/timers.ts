/**
 * Deadlines and tasks of the cluster, on Effect's clock. All deadlines share one sleeping fiber, which sleeps until the
 * earliest; so a thousand of them cost what one costs, they fire in a fixed order, and `TestClock` moves them all.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"

/** Forgets the deadline. */
export type Cancel = () => void

interface Timer {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

export interface Timers {
  /** Milliseconds since 1970, by Effect's clock. */
  readonly now: () => number
  /** Runs a task at a time, never before the current one has ended. */
  readonly at: (time: number, task: () => void) => Cancel
  /** Runs a task soon, in the order of the calls. Code that changes the cluster wakes fibers in no other way. */
  readonly defer: (task: () => void) => void
  readonly sleep: (ms: number) => Effect.Effect<void>
}

const earlier = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

class Heap {
  readonly timers: Array<Timer> = []
  push(timer: Timer): void {
    const { timers } = this
    let index = timers.length
    timers.push(timer)
    while (index > 0) {
      const parent = (index - 1) >>> 1
      if (!earlier(timer, timers[parent]!)) break
      timers[index] = timers[parent]!
      index = parent
    }
    timers[index] = timer
  }
  /** The earliest that was not cancelled. */
  peek(): Timer | undefined {
    while (this.timers.length > 0 && this.timers[0]!.run === undefined) this.pop()
    return this.timers[0]
  }
  pop(): Timer | undefined {
    const { timers } = this
    const top = timers[0]
    const last = timers.pop()
    if (top === undefined || last === undefined || timers.length === 0) return top
    let index = 0
    while (true) {
      let child = 2 * index + 1
      if (child >= timers.length) break
      if (child + 1 < timers.length && earlier(timers[child + 1]!, timers[child]!)) child++
      if (!earlier(timers[child]!, last)) break
      timers[index] = timers[child]!
      index = child
    }
    timers[index] = last
    return top
  }
}

export const make = Effect.gen(function*() {
  const clock = yield* Clock.Clock
  const scheduler = yield* Scheduler.Scheduler
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const dispatcher = scheduler.makeDispatcher()
  const heap = new Heap()
  let order = 0
  let closed = false
  let sleeper: { readonly at: number; readonly fiber: Fiber.Fiber<void> } | undefined

  const now = () => clock.currentTimeMillisUnsafe()
  const defer = (task: () => void) => dispatcher.scheduleTask(task, 0)

  const fire = () => {
    sleeper = undefined
    const time = now()
    for (let timer = heap.peek(); timer !== undefined && timer.at <= time; timer = heap.peek()) {
      heap.pop()
      const run = timer.run!
      timer.run = undefined
      run()
    }
    arm()
  }

  const arm = () => {
    const next = heap.peek()
    if (closed || next === undefined) return
    if (sleeper !== undefined) {
      if (sleeper.at <= next.at) return
      sleeper.fiber.interruptUnsafe()
    }
    const at = next.at
    sleeper = {
      at,
      // A clock may wake a millisecond early; `fire` then arms again.
      fiber: runFork(Effect.andThen(
        clock.sleep(Duration.millis(Math.max(1, at - now()))),
        Effect.sync(() => defer(fire))
      ))
    }
  }

  const at = (time: number, task: () => void): Cancel => {
    const timer: Timer = { at: Math.max(time, now()), order: order++, run: task }
    heap.push(timer)
    if (timer.at <= now()) {
      defer(() => {
        const run = timer.run
        timer.run = undefined
        run?.()
      })
    } else arm()
    return () => {
      timer.run = undefined
    }
  }

  const sleep = (ms: number): Effect.Effect<void> =>
    ms <= 0 ? Effect.void : Effect.callback<void>((resume) => {
      const cancel = at(now() + ms, () => resume(Effect.void))
      return Effect.sync(cancel)
    })

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      heap.timers.length = 0
      sleeper?.fiber.interruptUnsafe()
    })
  )
  const timers: Timers = { now, at, defer, sleep }
  return timers
})
