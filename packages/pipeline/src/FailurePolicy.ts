/**
 * What becomes of a record that failed. Policies are values; {@link decide} turns one, with the number of the attempt,
 * into the next step. Pure.
 *
 * @since 0.1.0
 */
import type * as Schedule from "effect/Schedule"

/**
 * What ends a record for good:
 *
 * - `dead-letter`: written to the dead-letter topic with the failure in its headers; settled once that is acknowledged.
 * - `skip`: settled as if it had been processed; logged and counted.
 * - `halt`: the pipeline stops and fails with a `HaltedError`; the record is not settled, and comes again at the next
 *   start.
 *
 * @category models
 * @since 0.1.0
 */
export type FinalAction = "dead-letter" | "skip" | "halt"

/**
 * @category models
 * @since 0.1.0
 */
export interface Retry {
  /**
   * How often a record is attempted at most, the first attempt included. Default {@link maxAttempts}; without a bound
   * where a `schedule` is given, which ends by itself.
   */
  readonly attempts?: number | undefined
  /**
   * When to try again; it is stepped with each failure, anew for each record. Default: `retry_backoff_ms`, doubled with
   * each attempt up to {@link maxDelayMs}, with jitter.
   */
  readonly schedule?: Schedule.Schedule<unknown, unknown> | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface FailurePolicy {
  /** Without one, the first failure is final. */
  readonly retry: Retry | undefined
  readonly finally: FinalAction
}

/**
 * How often a record is attempted by default: 8 times. With the default `retry_backoff_ms` of 100 that takes 13 seconds;
 * with the 500 of a database writer a minute; with the 5000 of an LLM pipeline four minutes, still within
 * `max_poll_interval_ms`.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxAttempts = 8

/**
 * The longest default delay between two attempts, in milliseconds: a minute.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxDelayMs = 60_000

/**
 * No retry: the record goes to the dead-letter topic.
 *
 * @category constructors
 * @since 0.1.0
 */
export const deadLetter: FailurePolicy = { retry: undefined, finally: "dead-letter" }

/**
 * No retry: the record is passed over.
 *
 * @category constructors
 * @since 0.1.0
 */
export const skip: FailurePolicy = { retry: undefined, finally: "skip" }

/**
 * No retry: the pipeline stops and fails.
 *
 * @category constructors
 * @since 0.1.0
 */
export const halt: FailurePolicy = { retry: undefined, finally: "halt" }

/**
 * Retry first; `finally` (default `dead-letter`) says what follows when the attempts are used up.
 *
 * @category constructors
 * @since 0.1.0
 */
export const retry = (options: Retry & { readonly finally?: FinalAction | undefined } = {}): FailurePolicy => ({
  retry: { attempts: options.attempts, schedule: options.schedule },
  finally: options.finally ?? "dead-letter"
})

/**
 * The next step for a record.
 *
 * @category models
 * @since 0.1.0
 */
export type Decision =
  | { readonly _tag: "Retry"; readonly delayMs: number }
  /** The policy's own schedule knows the delay, or that it is over: then the final action follows. */
  | { readonly _tag: "Scheduled"; readonly schedule: Schedule.Schedule<unknown, unknown> }
  | { readonly _tag: "Final"; readonly action: FinalAction }

/**
 * Decides after the failure of attempt number `attempt` (1 is the first). `random` lies in [0, 1) and spreads the delay
 * over 80 to 120 percent.
 *
 * @category combinators
 * @since 0.1.0
 */
export const decide = (
  policy: FailurePolicy,
  options: { readonly attempt: number; readonly retryBackoffMs: number; readonly random: number }
): Decision => {
  const { retry } = policy
  const attempts = retry?.attempts ?? (retry?.schedule === undefined ? maxAttempts : Infinity)
  if (retry === undefined || options.attempt >= attempts) return { _tag: "Final", action: policy.finally }
  if (retry.schedule !== undefined) return { _tag: "Scheduled", schedule: retry.schedule }
  const doubled = options.retryBackoffMs * 2 ** (options.attempt - 1)
  return { _tag: "Retry", delayMs: Math.round(Math.min(maxDelayMs, doubled) * (0.8 + 0.4 * options.random)) }
}
