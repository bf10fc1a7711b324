/**
 * What one consumer fetches: for each partition of its assignment where it stands, whether it may go on, and what the next
 * fetch brings. Partitions with something to read wait in a queue; whoever was read goes to its end, so all get their turn.
 */
import * as FetchedBatch from "@weft/kafka/FetchedBatch"
import type { PartitionOffset, TopicPartition } from "@weft/kafka/TopicPartition"
import * as TP from "@weft/kafka/TopicPartition"
import * as Log from "./logModel.ts"
import type { Timers } from "./timers.ts"
import type { Partition, Topics } from "./topics.ts"

interface Slot {
  readonly it: TopicPartition
  /** `undefined` where the topic is gone. */
  readonly partition: Partition | undefined
  /** The offset to fetch next; `undefined` until someone says where to start. */
  position: bigint | undefined
  paused: boolean
  /** Rises with each start: what was fetched before is dropped. */
  epoch: number
  /** The leader epoch that this client knows of. */
  leaderEpoch: number
  readonly watcher: () => void
}

/** One partition's part of a fetch that was answered. */
export type FetchedPart =
  | { readonly _tag: "Batch"; readonly slot: Slot; readonly epoch: number; readonly batch: FetchedBatch.FetchedBatch }
  | { readonly _tag: "OutOfRange"; readonly slot: Slot; readonly epoch: number; readonly position: bigint }
  | { readonly _tag: "Gone"; readonly slot: Slot }

export interface FetchLimits {
  readonly maxBytes: number
  readonly maxPartitionBytes: number
}

export interface FetchSession {
  /** A new assignment: partitions that stay keep their pause and lose their position. Nothing is fetched until `open`. */
  readonly assign: (partitions: ReadonlyArray<TopicPartition>) => void
  readonly open: () => void
  /** Fetches nothing more, and drops what is on its way. */
  readonly close: () => void
  readonly start: (positions: ReadonlyArray<PartitionOffset>) => void
  readonly pause: (partitions: ReadonlyArray<TopicPartition>) => void
  readonly resume: (partitions: ReadonlyArray<TopicPartition>) => void
  readonly topics: () => ReadonlyArray<string>
  /** Whether there is any partition that a fetch could name. */
  readonly isIdle: () => boolean
  /** Changes when a fetch under way no longer asks for the right thing. */
  readonly round: () => number
  readonly hasBytes: (minBytes: number) => boolean
  readonly read: (limits: FetchLimits) => ReadonlyArray<FetchedPart>
  /** An answer was lost: what it brought is read again. */
  readonly readAgain: () => void
  /** Whether a part may still be handed over; moves the position on. */
  readonly accept: (part: FetchedPart) => boolean
}

export const make = (options: {
  readonly topics: Topics
  readonly timers: Timers
  readonly isAway: (broker: number) => boolean
  /** Told when a waiting fetch should look again. */
  readonly wake: () => void
  /** How long it takes to find a new leader. */
  readonly retryBackoffMs: number
}): FetchSession => {
  const { isAway, retryBackoffMs, timers, topics, wake } = options
  let slots = new Map<string, Slot>()
  /** What may have something to read, in turn. */
  const ready = new Set<Slot>()
  let isOpen = false
  let round = 0
  let fetchable = 0

  const mayFetch = (slot: Slot): boolean => slot.position !== undefined && !slot.paused

  const enqueue = (slot: Slot): void => {
    if (!mayFetch(slot) || ready.has(slot)) return
    ready.add(slot)
    wake()
  }

  const changed = (): void => {
    round++
    fetchable = 0
    for (const slot of slots.values()) if (mayFetch(slot)) fetchable++
    wake()
  }

  const makeSlot = (it: TopicPartition): Slot => {
    const partition = topics.get(it.topic, it.partition)
    const slot: Slot = {
      it,
      partition,
      position: undefined,
      paused: false,
      epoch: 0,
      leaderEpoch: partition?.log.leaderEpoch ?? 0,
      watcher: () => enqueue(slot)
    }
    partition?.watchers.add(slot.watcher)
    return slot
  }

  /** Whether the slot's leader answers this client; if not, it is asked again later. */
  const reaches = (slot: Slot, partition: Partition): boolean => {
    if (slot.leaderEpoch !== partition.log.leaderEpoch) {
      slot.leaderEpoch = partition.log.leaderEpoch
      timers.at(timers.now() + retryBackoffMs, slot.watcher)
      return false
    }
    return partition.leader >= 0 && !isAway(partition.leader)
  }

  const each = (partitions: ReadonlyArray<TopicPartition>, f: (slot: Slot) => void): void => {
    for (const { key } of partitions) {
      const slot = slots.get(key)
      if (slot !== undefined) f(slot)
    }
    changed()
  }

  return {
    assign: (partitions) => {
      const next = new Map<string, Slot>()
      for (const it of partitions) {
        const kept = slots.get(it.key)
        const slot = kept?.partition?.deleted === false ? kept : makeSlot(it)
        slot.position = undefined
        next.set(it.key, slot)
      }
      for (const slot of slots.values()) {
        if (next.get(slot.it.key) !== slot) slot.partition?.watchers.delete(slot.watcher)
      }
      slots = next
      ready.clear()
      changed()
    },
    open: () => {
      isOpen = true
      changed()
    },
    close: () => {
      isOpen = false
      for (const slot of slots.values()) slot.epoch++
      changed()
    },
    start: (positions) => {
      for (const { offset, partition, topic } of positions) {
        const slot = slots.get(TP.keyOf(topic, partition))
        if (slot === undefined) continue
        slot.position = offset
        slot.epoch++
        enqueue(slot)
      }
      changed()
    },
    pause: (partitions) =>
      each(partitions, (slot) => {
        slot.paused = true
        ready.delete(slot)
      }),
    resume: (partitions) =>
      each(partitions, (slot) => {
        slot.paused = false
        enqueue(slot)
      }),
    topics: () => [...new Set([...slots.values()].map((slot) => slot.it.topic))],
    isIdle: () => !isOpen || fetchable === 0,
    round: () => round,
    hasBytes: (minBytes) => {
      let bytes = 0
      for (const slot of ready) {
        const { partition, position } = slot
        // Something other than records to tell of: that must not wait.
        if (partition === undefined || partition.deleted) return true
        if (!reaches(slot, partition)) {
          ready.delete(slot)
          continue
        }
        const { begin, end } = partition.log
        if (position! < begin || position! > end) return true
        if (position === end) {
          ready.delete(slot)
          continue
        }
        bytes += Log.available(partition.log, position!, minBytes - bytes)
        // A gap at the end of the log is read over at once.
        if (bytes >= minBytes || bytes === 0) return true
      }
      return false
    },
    read: ({ maxBytes, maxPartitionBytes }) => {
      const parts: Array<FetchedPart> = []
      let left = maxBytes
      const turn = Array.from(ready)
      for (const slot of turn) {
        const isFirst = left === maxBytes
        ready.delete(slot)
        const { epoch, it, partition, position } = slot
        if (position === undefined) continue
        if (partition === undefined || partition.deleted) {
          parts.push({ _tag: "Gone", slot })
          continue
        }
        if (!reaches(slot, partition)) continue
        const fetched = Log.fetch(partition.log, position, Math.min(left, maxPartitionBytes), isFirst)
        if (fetched._tag === "OutOfRange") {
          parts.push({ _tag: "OutOfRange", slot, epoch, position })
          continue
        }
        const { bytes, highWatermark, leaderEpoch, nextOffset, records } = fetched
        if (nextOffset < highWatermark) ready.add(slot)
        if (nextOffset === position) {
          if (position === highWatermark) continue
          // The fetch is full. Those that are left must be the first of the next one, before what was read now.
          for (const served of parts) if (ready.delete(served.slot)) ready.add(served.slot)
          break
        }
        left -= bytes
        const batch = FetchedBatch.fromRecords({
          topic: it.topic,
          partition: it.partition,
          records,
          highWatermark,
          nextOffset,
          leaderEpoch
        })
        parts.push({ _tag: "Batch", slot, epoch, batch })
      }
      return parts
    },
    readAgain: () => {
      for (const slot of slots.values()) enqueue(slot)
    },
    accept: (part) => {
      const { slot } = part
      if (!isOpen || slots.get(slot.it.key) !== slot) return false
      if (part._tag === "Gone") return true
      if (part.epoch !== slot.epoch) return false
      if (part._tag === "Batch") {
        slot.position = part.batch.nextOffset
        return true
      }
      slot.position = undefined
      changed()
      return true
    }
  }
}
