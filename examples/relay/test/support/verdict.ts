/** What is wrong with the records of the output, given what was in the input. Pure. */

/** A record of the output, with where its headers say it comes from. */
export interface Relayed {
  readonly sourcePartition: number
  readonly sourceOffset: number
  readonly key: string | null
  readonly member: string
  readonly partition: number
  readonly offset: number
}

export interface Verdict {
  readonly relayed: number
  /** Records of the input that are not in the output. */
  readonly missing: number
  readonly duplicates: number
  /** Records that stand after one of the same source partition with a higher offset. */
  readonly outOfOrder: number
  /** The same among the records of one key. */
  readonly outOfOrderByKey: number
  readonly byMember: Readonly<Record<string, number>>
}

/**
 * `expected` has the offsets of the input that should be relayed, by partition. Order is that of the output's partitions;
 * a record that comes again is a duplicate, not one out of order.
 */
export const verdict = (
  expected: ReadonlyMap<number, ReadonlySet<number>>,
  output: ReadonlyArray<Relayed>
): Verdict => {
  const seen = new Map<number, Set<number>>()
  const highest = new Map<string, number>()
  const byMember: Record<string, number> = {}
  let duplicates = 0
  const isBehind = (lane: string, offset: number): boolean => {
    const before = highest.get(lane) ?? -1
    if (offset > before) highest.set(lane, offset)
    return offset < before
  }
  let outOfOrder = 0
  let outOfOrderByKey = 0
  for (const one of [...output].sort((a, b) => a.partition - b.partition || a.offset - b.offset)) {
    byMember[one.member] = (byMember[one.member] ?? 0) + 1
    const offsets = seen.get(one.sourcePartition) ?? new Set()
    seen.set(one.sourcePartition, offsets)
    if (offsets.has(one.sourceOffset)) {
      duplicates++
      continue
    }
    offsets.add(one.sourceOffset)
    if (isBehind(`${one.sourcePartition}`, one.sourceOffset)) outOfOrder++
    if (one.key !== null && isBehind(`${one.sourcePartition} ${one.key}`, one.sourceOffset)) outOfOrderByKey++
  }
  let missing = 0
  for (const [partition, offsets] of expected) {
    for (const offset of offsets) if (seen.get(partition)?.has(offset) !== true) missing++
  }
  return { relayed: output.length, missing, duplicates, outOfOrder, outOfOrderByKey, byMember }
}
