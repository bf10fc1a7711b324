/** When to commit. Pure: `now` is an argument. */

/** Commit once this many records are settled, or this long after the first of them, whichever comes first. */
export interface CommitPolicy {
  readonly records: number
  readonly intervalMs: number
}

/**
 * What "as soon as records are settled" means: commits in flight are coalesced, and two of them are at least this far
 * apart, so that a fast consumer does not spend its time on them.
 */
export const promptIntervalMs = 10

/** How many milliseconds to wait before the next commit. */
export const delay = (policy: CommitPolicy, state: {
  readonly settled: number
  readonly firstSettledAt: number
  readonly lastCommitAt: number
  readonly now: number
}): number => {
  const due = state.settled >= policy.records ? state.now : state.firstSettledAt + policy.intervalMs
  return Math.max(0, due - state.now, state.lastCommitAt + promptIntervalMs - state.now)
}
