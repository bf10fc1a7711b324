/** Which partitions make no progress. Pure: what was seen before, what is seen now, and the time. */

export interface Progress {
  readonly watermark: bigint
  readonly settled: number
  readonly epoch: number
  /** When the watermark was last seen to move, or to have nothing to wait for. */
  readonly since: number
  /** When anything at all was last seen to be settled. */
  readonly settledSince: number
  readonly reported: boolean
  /** Whether there was anything to wait for. */
  readonly pending: boolean
}

export interface Observation {
  /** The first offset that is not settled: others may be settled beyond it, and it stands still all the same. */
  readonly watermark: bigint
  /** How many records were ever settled. */
  readonly settled: number
  readonly epoch: number
  /** Records in flight, or in wait for someone to take them. */
  readonly pending: boolean
  /** Someone works on the record at the watermark: it does not wait for its next attempt while others go on. */
  readonly attended: () => boolean
}

export const observe = (
  before: Progress | undefined,
  { attended, epoch, pending, settled, watermark }: Observation,
  now: number,
  limitMs: number
): { readonly progress: Progress; readonly stalledForMs: number | undefined } => {
  const isSame = before !== undefined && before.pending && before.watermark === watermark && before.epoch === epoch
  if (!isSame || !pending) {
    const progress = { watermark, settled, epoch, since: now, settledSince: now, reported: false, pending }
    return { progress, stalledForMs: undefined }
  }
  const progress = before.settled === settled ? before : { ...before, settled, settledSince: now }
  const age = now - before.since
  const stalled = !before.reported && age >= limitMs && (now - progress.settledSince >= limitMs || attended())
  return { progress: stalled ? { ...progress, reported: true } : progress, stalledForMs: stalled ? age : undefined }
}
