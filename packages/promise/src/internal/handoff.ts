/** Where a loop and the workers of a pipeline meet: a worker waits until the loop has taken its record and is done with it. */
import type { PipelineRecord } from "@weft/pipeline/PipelineRecord"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { HandlerFailure } from "./handlerFailure.ts"

/** A worker's record. `lost`: its partition was given up, or the worker has stopped; nobody waits for it any more. */
export class Offer<V, K> {
  readonly record: PipelineRecord<K, V>
  readonly #resume: (outcome: Effect.Effect<void, HandlerFailure>) => void
  readonly #onDone: () => void
  #state: "open" | "done" | "lost" = "open"
  constructor(
    record: PipelineRecord<K, V>,
    resume: (outcome: Effect.Effect<void, HandlerFailure>) => void,
    onDone: () => void
  ) {
    this.record = record
    this.#resume = resume
    this.#onDone = onDone
  }
  get state(): "open" | "done" | "lost" {
    return this.#state
  }
  settle(outcome: { readonly error: unknown } | undefined): void {
    if (this.#state !== "open") return
    this.#state = "done"
    this.#resume(outcome === undefined ? Effect.void : Effect.fail(new HandlerFailure(outcome.error)))
    this.#onDone()
  }
  lose(): void {
    if (this.#state !== "open") return
    this.#state = "lost"
    this.#onDone()
  }
}

export class Handoff<V, K> {
  readonly #ready: Array<Offer<V, K>> = []
  readonly #takers: Array<(offer: Offer<V, K> | undefined) => void> = []
  /** Taken, and not done. */
  readonly #held = new Set<Offer<V, K>>()
  readonly #idle = Deferred.makeUnsafe<void>()
  #isOpen = true

  readonly offer = (record: PipelineRecord<K, V>): Effect.Effect<void, HandlerFailure> =>
    Effect.callback<void, HandlerFailure>((resume) => {
      const offer: Offer<V, K> = new Offer(record, resume, () => {
        this.#held.delete(offer)
        this.#checkIdle()
      })
      const taker = this.#isOpen ? this.#takers.shift() : undefined
      if (taker === undefined) this.#ready.push(offer)
      else {
        this.#held.add(offer)
        taker(offer)
      }
      return Effect.sync(() => {
        const index = this.#ready.indexOf(offer)
        if (index >= 0) this.#ready.splice(index, 1)
        offer.lose()
      })
    })

  /** The next record; `undefined` once there are no more. */
  take(): Promise<Offer<V, K> | undefined> {
    if (!this.#isOpen) return Promise.resolve(undefined)
    const offer = this.#ready.shift()
    if (offer !== undefined) {
      this.#held.add(offer)
      return Promise.resolve(offer)
    }
    const { promise, resolve } = Promise.withResolvers<Offer<V, K> | undefined>()
    this.#takers.push(resolve)
    return promise
  }

  /** Hands out no more. */
  close(): void {
    this.#isOpen = false
    for (const taker of this.#takers.splice(0)) taker(undefined)
    this.#checkIdle()
  }

  /** Waits, once closed, until all that was taken is done. */
  get idle(): Effect.Effect<void> {
    return Deferred.await(this.#idle)
  }

  #checkIdle(): void {
    if (!this.#isOpen && this.#held.size === 0) Deferred.doneUnsafe(this.#idle, Effect.void)
  }
}
