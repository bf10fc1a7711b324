/**
 * The consumer groups of the cluster: carries out what the group model decides, keeps the committed offsets, and lets
 * sessions and deadlines run on the clock.
 */
import * as TopicPartition from "@weft/kafka/TopicPartition"
import type { OffsetAndMetadata } from "@weft/kafka/Transport"
import * as Model from "./groupModel.ts"
import type { Cancel, Timers } from "./timers.ts"

/** A commit that the group took, for those who want to see how its offsets came about. */
export interface CommitEntry extends OffsetAndMetadata {
  /** Milliseconds since 1970, by Effect's clock. */
  readonly at: number
  /** Empty where no member committed (manual assignment, an admin). */
  readonly memberId: string
  /** -1 where no member committed. */
  readonly generation: number
}

interface Entry {
  group: Model.Group
  /** The broker that coordinates it. */
  broker: number
  /** While this lies ahead the coordinator loads the group and answers nothing else. */
  loadedAt: number
  readonly offsets: Map<string, OffsetAndMetadata>
  readonly history: Array<CommitEntry>
  alarm: { readonly at: number; readonly cancel: Cancel } | undefined
}

export interface CoordinatorOptions {
  readonly brokers: number
  readonly limits: Model.Limits
  readonly metadataMaxBytes: number
  /** How many commits of each group are remembered. */
  readonly commitHistory: number
}

type WithoutRequest<T> = T extends { readonly request: number } ? Omit<T, "request"> : never

export type Ask = WithoutRequest<Model.Input>

export interface Coordinator {
  readonly limits: Model.Limits
  readonly groups: () => ReadonlyArray<Model.Group>
  readonly group: (groupId: string) => Model.Group | undefined
  readonly brokerOf: (groupId: string) => number
  /** The answer comes when the protocol has it; the function answered forgets the question. */
  readonly ask: (groupId: string, input: Ask, answer: (reply: Model.Reply) => void) => Cancel
  /** For each offset `undefined`, or the code of the refusal. */
  readonly commit: (
    groupId: string,
    committer: Model.Committer,
    offsets: ReadonlyArray<OffsetAndMetadata>,
    exists: (topic: string, partition: number) => boolean
  ) => ReadonlyArray<string | undefined>
  readonly offsets: (groupId: string) => ReadonlyMap<string, OffsetAndMetadata>
  readonly history: (groupId: string) => ReadonlyArray<CommitEntry>
  readonly expire: (groupId: string, memberId: string) => void
  /** Another broker takes over; it loads the group for a while. */
  readonly move: (groupId: string, broker: number, loadMs: number) => void
  readonly isLoading: (groupId: string) => boolean
  readonly remove: (groupId: string) => string | undefined
  readonly forgetTopic: (topic: string) => void
}

/** The same group always has the same coordinator, in the way of Kafka: by a hash of its name. */
const hash = (text: string): number => {
  let sum = 0
  for (let i = 0; i < text.length; i++) sum = (sum * 31 + text.charCodeAt(i)) | 0
  return sum & 0x7fffffff
}

export const make = (options: CoordinatorOptions, timers: Timers): Coordinator => {
  const entries = new Map<string, Entry>()
  const questions = new Map<number, (reply: Model.Reply) => void>()
  let nextRequest = 1

  const entryOf = (groupId: string): Entry => {
    const known = entries.get(groupId)
    if (known !== undefined) return known
    const entry: Entry = {
      group: Model.make(groupId),
      broker: hash(groupId) % options.brokers,
      loadedAt: 0,
      offsets: new Map(),
      history: [],
      alarm: undefined
    }
    entries.set(groupId, entry)
    return entry
  }

  const apply = (entry: Entry, input: Model.Input, now = timers.now()): void => {
    const { group, replies } = Model.step(entry.group, now, input, options.limits)
    entry.group = group
    for (const reply of replies) {
      const answer = questions.get(reply.request)
      questions.delete(reply.request)
      if (answer !== undefined) timers.defer(() => answer(reply))
    }
    watch(entry)
  }

  /** One alarm for each group. Heartbeats only move deadlines away, so most of the time it need not be moved. */
  const watch = (entry: Entry): void => {
    const next = Model.nextTick(entry.group)
    if (next === undefined) {
      entry.alarm?.cancel()
      entry.alarm = undefined
      return
    }
    const at = Math.max(next, entry.loadedAt)
    if (entry.alarm !== undefined && entry.alarm.at <= at) return
    entry.alarm?.cancel()
    entry.alarm = {
      at,
      cancel: timers.at(at, () => {
        entry.alarm = undefined
        apply(entry, { _tag: "Tick" })
      })
    }
  }

  return {
    limits: options.limits,
    groups: () => [...entries.values()].map((e) => e.group),
    group: (groupId) => entries.get(groupId)?.group,
    brokerOf: (groupId) => entries.get(groupId)?.broker ?? hash(groupId) % options.brokers,
    ask: (groupId, input, answer) => {
      const request = nextRequest++
      questions.set(request, answer)
      apply(entryOf(groupId), { ...input, request } as Model.Input)
      return () => {
        questions.delete(request)
      }
    },
    commit: (groupId, committer, offsets, exists) => {
      const entry = entryOf(groupId)
      const now = timers.now()
      const { code, group } = Model.commit(entry.group, now, committer)
      entry.group = group
      watch(entry)
      if (code !== undefined) return offsets.map(() => code)
      return offsets.map((offset) => {
        if (!exists(offset.topic, offset.partition)) return "UNKNOWN_TOPIC_OR_PARTITION"
        if (Buffer.byteLength(offset.metadata) > options.metadataMaxBytes) return "OFFSET_METADATA_TOO_LARGE"
        const { metadata, offset: at, partition, topic } = offset
        const stored = { topic, partition, offset: at, metadata }
        entry.offsets.set(TopicPartition.keyOf(topic, partition), stored)
        entry.history.push({ ...stored, at: now, ...committer })
        // Trimmed seldom, so that a commit does not pay for the whole history.
        if (entry.history.length > 2 * options.commitHistory) {
          entry.history.splice(0, entry.history.length - options.commitHistory)
        }
        return undefined
      })
    },
    offsets: (groupId) => entries.get(groupId)?.offsets ?? new Map(),
    history: (groupId) => entries.get(groupId)?.history ?? [],
    expire: (groupId, memberId) => apply(entryOf(groupId), { _tag: "Expire", memberId }),
    move: (groupId, broker, loadMs) => {
      const entry = entryOf(groupId)
      entry.broker = broker
      entry.loadedAt = timers.now() + loadMs
      entry.alarm?.cancel()
      entry.alarm = undefined
      // Sessions begin anew when the group is loaded.
      apply(entry, { _tag: "Move" }, entry.loadedAt)
    },
    isLoading: (groupId) => (entries.get(groupId)?.loadedAt ?? 0) > timers.now(),
    remove: (groupId) => {
      const entry = entries.get(groupId)
      if (entry === undefined) return "GROUP_ID_NOT_FOUND"
      apply(entry, { _tag: "Delete" })
      if (entry.group.state !== "Dead") return "NON_EMPTY_GROUP"
      entries.delete(groupId)
      return undefined
    },
    forgetTopic: (topic) => {
      for (const entry of entries.values()) {
        for (const [key, offset] of entry.offsets) if (offset.topic === topic) entry.offsets.delete(key)
      }
    }
  }
}
