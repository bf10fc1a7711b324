/** Calls of handlers: their promises, what they throw, and the signal that tells them to give up. */
import { BatchRecordError as PipelineBatchRecordError } from "@weft/pipeline/BatchRecordError"
import type { PipelineRecord } from "@weft/pipeline/PipelineRecord"
import * as Effect from "effect/Effect"
import { AsyncLocalStorage } from "node:async_hooks"
import type { HandlerContext, Handlers } from "../Handlers.ts"
import { BatchRecordError } from "../WeftError.ts"
import { WeftRecord } from "../WeftRecord.ts"
import { HandlerFailure } from "./handlerFailure.ts"

/** Made when it is first asked for: most handlers never do. */
class CallContext implements HandlerContext {
  #controller: AbortController | undefined = undefined
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }
  abort(): void {
    this.#controller?.abort()
  }
}

export type Failure = HandlerFailure | PipelineBatchRecordError<HandlerFailure>

const failureOf = (thrown: unknown): Failure =>
  thrown instanceof BatchRecordError
    ? new PipelineBatchRecordError({ index: thrown.index, cause: new HandlerFailure(thrown.cause) })
    : new HandlerFailure(thrown)

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

/** Whose handler, if anybody's, the running code was called from. */
const caller = new AsyncLocalStorage<object>()

export const isCalledBy = (owner: object): boolean => caller.getStore() === owner

const call = (owner: object, handler: (context: HandlerContext) => unknown): Effect.Effect<void, Failure> =>
  Effect.suspend(() => {
    const context = new CallContext()
    let result: unknown
    try {
      result = caller.run(owner, handler, context)
    } catch (error) {
      return Effect.fail(failureOf(error))
    }
    if (!isThenable(result)) return Effect.void
    return Effect.callback<void, Failure>((resume) => {
      result.then(() => resume(Effect.void), (error: unknown) => resume(Effect.fail(failureOf(error))))
      return Effect.sync(() => context.abort())
    })
  })

/** What a pipeline does with its records. */
export const processing = <V, K>(owner: object, handlers: Handlers<V, K>) =>
  handlers.eachBatch === undefined
    ? {
      process: (record: PipelineRecord<K, V>) =>
        call(owner, (context) => handlers.eachRecord(new WeftRecord(record), context))
    }
    : {
      processBatch: (records: ReadonlyArray<PipelineRecord<K, V>>) =>
        call(owner, (context) => handlers.eachBatch(records.map((record) => new WeftRecord(record)), context))
    }
