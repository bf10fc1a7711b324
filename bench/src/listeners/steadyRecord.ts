/** What a record of the steady producer carries: which it is, when it was due, and when it was handed to the client. Pure. */

export interface SteadyRecord {
  /** From 0, without gaps. */
  readonly index: number
  /** On the monotonic clock of the machine (`process.hrtime`), which all processes share: by the schedule... */
  readonly dueNs: bigint
  /** ...and in fact. */
  readonly sentNs: bigint
}

const headBytes = 20

export const encode = ({ dueNs, index, sentNs }: SteadyRecord, bytes: number): Buffer => {
  const value = Buffer.alloc(Math.max(bytes, headBytes), "x")
  value.writeUInt32BE(index, 0)
  value.writeBigInt64BE(dueNs, 4)
  value.writeBigInt64BE(sentNs, 12)
  return value
}

export const decode = (value: Uint8Array): SteadyRecord => {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  return { index: view.getUint32(0), dueNs: view.getBigInt64(4), sentNs: view.getBigInt64(12) }
}

/** How many of `records` are due by now, at a constant schedule that does not care how it goes with those before. */
export const dueBy = (
  nowNs: bigint,
  schedule: { readonly startNs: bigint; readonly perSecond: number; readonly records: number }
): number => {
  if (nowNs < schedule.startNs) return 0
  const elapsed = Number(nowNs - schedule.startNs) / 1e9
  return Math.min(schedule.records, Math.floor(elapsed * schedule.perSecond) + 1)
}

/** When a record is due by that schedule. */
export const dueAt = (index: number, startNs: bigint, perSecond: number): bigint =>
  startNs + BigInt(Math.round(index / perSecond * 1e9))
