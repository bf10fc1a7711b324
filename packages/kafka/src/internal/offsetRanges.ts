/** Sets of offsets as sorted, disjoint, half-open ranges. */

export interface OffsetRange {
  readonly start: bigint
  /** Exclusive. */
  readonly end: bigint
}

/** Adds a range that starts at or after the end of the last one; neighbours melt together. */
export const append = (ranges: Array<OffsetRange>, start: bigint, end: bigint): void => {
  const last = ranges[ranges.length - 1]
  if (last !== undefined && last.end === start) ranges[ranges.length - 1] = { start: last.start, end }
  else ranges.push({ start, end })
}
