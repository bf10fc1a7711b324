/** How long partitions stood still while members came and went. Pure. */

export interface Arrival {
  readonly index: number
  readonly partition: number
  readonly atNs: bigint
}

export interface Pauses {
  /** The longest time without a new record, in milliseconds, of the partitions that stayed with the first member... */
  readonly retainedMs: number
  /** ...and of those that the second one had meanwhile. */
  readonly movedMs: number
}

export interface Handover {
  /** Of the first arrival of each record, whoever had it. */
  readonly join: Pauses
  readonly leave: Pauses
  /** Records that were handed out. */
  readonly seen: number
  /** Different ones among them. */
  readonly distinct: number
}

/** Each record once, when it came first, in the order of arrival: what is repeated is no progress. */
const progress = (arrivals: ReadonlyArray<Arrival>): ReadonlyArray<Arrival> => {
  const known = new Set<number>()
  return [...arrivals].sort((a, b) => a.atNs < b.atNs ? -1 : a.atNs > b.atNs ? 1 : 0).filter(({ index }) => {
    const isNew = !known.has(index)
    known.add(index)
    return isNew
  })
}

/** The longest gap of each partition that ends within the time. */
const longestGaps = (
  ordered: ReadonlyArray<Arrival>,
  fromNs: bigint,
  toNs: bigint
): ReadonlyMap<number, number> => {
  const last = new Map<number, bigint>()
  const longest = new Map<number, number>()
  for (const { atNs, partition } of ordered) {
    const before = last.get(partition)
    last.set(partition, atNs)
    if (before === undefined || atNs <= fromNs || atNs > toNs) continue
    longest.set(partition, Math.max(longest.get(partition) ?? 0, Number(atNs - before) / 1e6))
  }
  return longest
}

/** The second member comes at `comesNs` and is told to go at `goesNs`; the flow lasts until both are over. */
export const handover = (options: {
  readonly first: ReadonlyArray<Arrival>
  readonly second: ReadonlyArray<Arrival>
  readonly comesNs: bigint
  readonly goesNs: bigint
  readonly endsNs: bigint
}): Handover => {
  const { comesNs, endsNs, first, goesNs, second } = options
  const moved = new Set(second.map(({ partition }) => partition))
  const ordered = progress([...first, ...second])
  const pauses = (fromNs: bigint, toNs: bigint): Pauses => {
    const gaps = [...longestGaps(ordered, fromNs, toNs)]
    const worst = (ofMoved: boolean) =>
      Math.max(0, ...gaps.filter(([partition]) => moved.has(partition) === ofMoved).map(([, gap]) => gap))
    return { retainedMs: worst(false), movedMs: worst(true) }
  }
  return {
    join: pauses(comesNs, goesNs),
    leave: pauses(goesNs, endsNs),
    seen: first.length + second.length,
    distinct: ordered.length
  }
}
