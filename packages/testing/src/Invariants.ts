/**
 * The delivery contract, as questions to what was recorded of a run. Each answers the violations that it finds, in words;
 * none is the empty list.
 *
 * @since 0.1.0
 */
import { settledBeyond } from "@weft/kafka/Offset"
import type { CommitEntry } from "./MemoryCluster.ts"

/**
 * One record's processing by one member. `endedAt` is `undefined` where it never ended (the member died).
 *
 * @category models
 * @since 0.1.0
 */
export interface Processing {
  readonly member: string
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly startedAt: number
  readonly endedAt: number | undefined
  /** Whether the member's settling of it was accepted. */
  readonly settled: boolean
}

const keyOf = (one: { readonly topic: string; readonly partition: number }): string => `${one.topic}-${one.partition}`

const byPartition = <A extends { readonly topic: string; readonly partition: number }>(
  all: ReadonlyArray<A>
): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const one of all) {
    const group = groups.get(keyOf(one))
    if (group === undefined) groups.set(keyOf(one), [one])
    else group.push(one)
  }
  return groups
}

/**
 * Every record of the log was processed by someone.
 *
 * @category contract
 * @since 0.1.0
 */
export const nothingLost = (
  log: ReadonlyArray<{ readonly topic: string; readonly partition: number; readonly offset: bigint }>,
  processed: ReadonlyArray<Processing>
): ReadonlyArray<string> => {
  const ended = new Set(processed.flatMap((one) => one.endedAt === undefined ? [] : [`${keyOf(one)}@${one.offset}`]))
  return log.flatMap((record) => {
    const name = `${keyOf(record)}@${record.offset}`
    return ended.has(name) ? [] : [`lost: ${name} was never processed`]
  })
}

/**
 * At the moment of each commit, every record below the committed offset had been processed.
 *
 * @category contract
 * @since 0.1.0
 */
export const commitsFollowProcessing = (
  log: ReadonlyArray<{ readonly topic: string; readonly partition: number; readonly offset: bigint }>,
  processed: ReadonlyArray<Processing>,
  commits: ReadonlyArray<CommitEntry>
): ReadonlyArray<string> => {
  const firstEnd = new Map<string, number>()
  for (const one of processed) {
    if (one.endedAt === undefined) continue
    const name = `${keyOf(one)}@${one.offset}`
    firstEnd.set(name, Math.min(firstEnd.get(name) ?? Infinity, one.endedAt))
  }
  const logs = byPartition(log)
  return commits.flatMap((commit) =>
    (logs.get(keyOf(commit)) ?? []).flatMap((record) => {
      if (record.offset >= commit.offset) return []
      const end = firstEnd.get(`${keyOf(record)}@${record.offset}`) ?? Infinity
      return end <= commit.at
        ? []
        : [
          `commit ahead of processing: ${
            keyOf(commit)
          }@${commit.offset} at ${commit.at}, but ${record.offset} ended ${end}`
        ]
    }).slice(0, 1)
  )
}

/**
 * The group's offset of a partition only ever rises: what an earlier owner sends too late must not reach it.
 *
 * @category contract
 * @since 0.1.0
 */
export const commitsNeverGoBack = (commits: ReadonlyArray<CommitEntry>): ReadonlyArray<string> =>
  [...byPartition(commits)].flatMap(([name, all]) =>
    all.slice(1).flatMap((commit, i) => {
      const before = all[i]!
      return commit.offset >= before.offset
        ? []
        : [
          `commit went back: ${name} from ${before.offset} (${before.memberId}) to ${commit.offset} (${commit.memberId})`
        ]
    })
  )

/**
 * In each generation a partition's offsets come from one member, and from no generation that is over: the broker itself
 * takes a commit for a partition that the member has lost.
 *
 * @category contract
 * @since 0.1.0
 */
export const oneOwnerCommits = (commits: ReadonlyArray<CommitEntry>): ReadonlyArray<string> =>
  [...byPartition(commits)].flatMap(([name, all]) => {
    const violations: Array<string> = []
    const owners = new Map<number, string>()
    let latest = -1
    for (const { generation, memberId, offset } of all) {
      if (generation < 0) continue
      const owner = owners.get(generation) ?? memberId
      owners.set(generation, owner)
      if (owner !== memberId) {
        violations.push(
          `two owners: ${name}@${offset} was committed by ${memberId} in generation ${generation} of ${owner}`
        )
      }
      if (generation < latest) {
        violations.push(`late commit: ${name}@${offset} by ${memberId} of generation ${generation}, after ${latest}`)
      }
      latest = Math.max(latest, generation)
    }
    return violations
  })

/**
 * After a hard fault, only what was not committed comes again, save by a zombie that does not know yet that it is one: a
 * record below the group's offset does not begin once the commit is older than any zombie.
 *
 * @category contract
 * @since 0.1.0
 */
export const committedStays = (
  processed: ReadonlyArray<Processing>,
  commits: ReadonlyArray<CommitEntry>,
  zombieMs: number
): ReadonlyArray<string> => {
  const commitsOf = byPartition(commits)
  return processed.flatMap((one) => {
    const covered = (commitsOf.get(keyOf(one)) ?? []).find((commit) =>
      commit.at < one.startedAt - zombieMs && commit.offset > one.offset
    )
    return covered === undefined
      ? []
      : [`repeated: ${keyOf(one)}@${one.offset} began at ${one.startedAt} (${one.member}), committed at ${covered.at}`]
  })
}

/**
 * Nothing begins that a commit has already told to be settled, below its offset or in its metadata. Holds where no member
 * is a zombie: one that was frozen, or expelled, goes on for a while with what it has.
 *
 * @category contract
 * @since 0.1.0
 */
export const committedIsNotRepeated = (
  processed: ReadonlyArray<Processing>,
  commits: ReadonlyArray<CommitEntry>
): ReadonlyArray<string> => {
  const commitsOf = byPartition(commits)
  return processed.flatMap((one) => {
    const covered = (commitsOf.get(keyOf(one)) ?? []).find((commit) =>
      commit.at < one.startedAt && (commit.offset > one.offset || isSettledBeyond(commit, one.offset))
    )
    return covered === undefined
      ? []
      : [`repeated: ${keyOf(one)}@${one.offset} began at ${one.startedAt} (${one.member}), committed at ${covered.at}`]
  })
}

const isSettledBeyond = ({ metadata, offset }: CommitEntry, record: bigint): boolean =>
  settledBeyond(offset, metadata).some((range) => range.start <= record && record < range.end)

/**
 * Within a partition no record begins for the first time before the one ahead of it has ended.
 *
 * @category contract
 * @since 0.1.0
 */
export const orderPerPartition = (processed: ReadonlyArray<Processing>): ReadonlyArray<string> =>
  [...byPartition(processed)].flatMap(([name, all]) => {
    const first = new Map<bigint, { startedAt: number; endedAt: number }>()
    for (const one of all) {
      const known = first.get(one.offset)
      const endedAt = one.endedAt ?? Infinity
      if (known === undefined) first.set(one.offset, { startedAt: one.startedAt, endedAt })
      else {
        known.startedAt = Math.min(known.startedAt, one.startedAt)
        known.endedAt = Math.min(known.endedAt, endedAt)
      }
    }
    const offsets = [...first.keys()].sort((a, b) => a < b ? -1 : 1)
    return offsets.slice(1).flatMap((offset, i) => {
      const before = first.get(offsets[i]!)!
      const { startedAt } = first.get(offset)!
      // A record whose first owner died may be overtaken by nothing but its own repetition.
      return startedAt >= before.startedAt && (before.endedAt === Infinity || startedAt >= before.endedAt)
        ? []
        : [`order: ${name}@${offset} began at ${startedAt}, before ${offsets[i]} ended at ${before.endedAt}`]
    })
  })

/**
 * How often records were processed beyond the first time.
 *
 * @category contract
 * @since 0.1.0
 */
export const duplicates = (processed: ReadonlyArray<Processing>): number => {
  const ended = processed.filter((one) => one.endedAt !== undefined)
  return ended.length - new Set(ended.map((one) => `${keyOf(one)}@${one.offset}`)).size
}

/**
 * Once faults have ended and time has passed, the group has committed all of the log; nothing, where there is nothing.
 *
 * @category contract
 * @since 0.1.0
 */
export const allCommitted = (
  ends: ReadonlyArray<
    { readonly topic: string; readonly partition: number; readonly begin: bigint; readonly end: bigint }
  >,
  committed: ReadonlyArray<{ readonly topic: string; readonly partition: number; readonly offset: bigint | undefined }>
): ReadonlyArray<string> => {
  const offsets = new Map(committed.map((one) => [keyOf(one), one.offset]))
  return ends.flatMap((one) => {
    const offset = offsets.get(keyOf(one)) ?? one.begin
    return offset === one.end ? [] : [`not committed: ${keyOf(one)} is at ${offset} of ${one.end}`]
  })
}
