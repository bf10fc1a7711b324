/** Which partitions make no progress. Pure: what was seen before, what is seen now, and the time. */

export interface Progress {
  readonly settled: number
  readonly epoch: number
  /** When it was last seen to move, or to have nothing to do. */
  readonly since: number
  readonly reported: boolean
}

export interface Observation {
  readonly settled: number
  readonly epoch: number
  /** Records in flight, or in wait for someone to take them. */
  readonly pending: boolean
}

export const observe = (
  before: Progress | undefined,
  { epoch, pending, settled }: Observation,
  now: number,
  limitMs: number
): { readonly progress: Progress; readonly stalledForMs: number | undefined } => {
  if (before === undefined || !pending || before.settled !== settled || before.epoch !== epoch) {
    return { progress: { settled, epoch, since: now, reported: false }, stalledForMs: undefined }
  }
  const age = now - before.since
  const stalled = !before.reported && age >= limitMs
  return { progress: stalled ? { ...before, reported: true } : before, stalledForMs: stalled ? age : undefined }
}
