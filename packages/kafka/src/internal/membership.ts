/**
 * One membership in the group, from the join to the leave: answers the transport's calls and decides where partitions
 * start. It keeps no state of its own.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { ConsumerEvent } from "../ConsumerEvent.ts"
import { isRetriable, type KafkaError, NoOffsetError } from "../KafkaError.ts"
import { keyOf, type PartitionOffset, type TopicPartition } from "../TopicPartition.ts"
import { Transport, type TransportConsumer, type TransportHandler, type TransportSubscription } from "../Transport.ts"
import type { AssignedPartition } from "./assignedPartition.ts"
import { plan } from "./assignmentPlan.ts"
import type { ConsumerState, Start } from "./consumerState.ts"
import { drain } from "./drain.ts"
import { decode } from "./offsetMetadata.ts"
import { transportDefect } from "./transportDefect.ts"

export interface Membership {
  readonly transport: TransportConsumer
  /** Fails with what ends this membership; never succeeds. */
  readonly failure: Effect.Effect<never, KafkaError>
}

/** Joins; leaves with its scope. Whoever closes the scope drains first. */
export const join = Effect.fnUntraced(function*(
  state: ConsumerState,
  subscription: TransportSubscription,
  hooks: {
    readonly onAssigned: (partitions: ReadonlyArray<TopicPartition>) => Effect.Effect<void>
    readonly onAlive: (sign: "fetch" | "heartbeat") => void
  }
): Effect.fn.Return<Membership, KafkaError, Transport | Scope.Scope> {
  const library = yield* Transport
  const fatal = yield* Deferred.make<never, KafkaError>()
  const fork = yield* FiberSet.makeRuntime<never>()

  const fail = (error: KafkaError) => Deferred.fail(fatal, error)
  /** A defect of the library must not leave a consumer that looks alive: it ends the membership. */
  const guarded = <A>(effect: Effect.Effect<A, KafkaError>): Effect.Effect<A, KafkaError> =>
    Effect.catchDefect(effect, (cause) => {
      const error = transportDefect(library.name, cause)
      return Effect.andThen(fail(error), Effect.fail(error))
    })
  const forkGuarded = (effect: Effect.Effect<unknown, KafkaError>) => fork(Effect.catch(guarded(effect), fail))
  const whileRetriable = {
    while: isRetriable,
    schedule: Schedule.exponential(state.settings.retryBackoffMs).pipe(Schedule.jittered, Schedule.upTo({ times: 8 }))
  }

  /** Where partitions start: the committed offset; where there is none, what `auto_offset_reset` says. */
  const startNew = (transport: TransportConsumer, partitions: ReadonlyArray<AssignedPartition>) =>
    Effect.gen(function*() {
      const committed = yield* transport.committed(partitions.map((partition) => partition.topicPartition))
      const wanted = new Set(partitions)
      const missing: Array<AssignedPartition> = []
      const starts: Array<Start> = []
      for (const { metadata, offset, partition, topic } of committed) {
        const assigned = state.find({ topic, partition })
        // Another assignment of the same partition may have started meanwhile.
        if (assigned === undefined || !wanted.has(assigned) || assigned.state !== "starting") continue
        if (offset === undefined) missing.push(assigned)
        else starts.push({ partition: assigned, offset, from: "committed", settledBeyond: decode(offset, metadata) })
      }
      start(transport, starts)
      if (missing.length > 0) yield* reset(transport, missing, undefined)
    }).pipe(Effect.retry(whileRetriable))

  /** The group has no usable offset: say so, and apply the policy. */
  const reset = Effect.fnUntraced(function*(
    transport: TransportConsumer,
    partitions: ReadonlyArray<AssignedPartition>,
    position: bigint | undefined
  ) {
    const policy = state.settings.autoOffsetReset
    const names = partitions.map((partition) => partition.topicPartition)
    const beginnings = byKey(yield* transport.listOffsets(names, "earliest"))
    const ends = byKey(yield* transport.listOffsets(names, "latest"))
    const starts: Array<readonly [AssignedPartition, bigint]> = []
    for (const assigned of partitions) {
      // A seek, or another reset, came before the answer.
      if (position === undefined ? assigned.state !== "starting" : assigned.position !== position) continue
      const { partition, topic } = assigned.topicPartition
      const beginning = beginnings.get(assigned.topicPartition.key) ?? 0n
      const end = ends.get(assigned.topicPartition.key) ?? 0n
      // Fetches name no leader epoch: a leader that was deposed and does not know it yet answers them from a shorter log.
      if (position !== undefined && beginning <= position && position <= end) {
        state.goOn(assigned)
        continue
      }
      state.publish(ConsumerEvent.OffsetReset({ topic, partition, committed: position, beginning, end, policy }))
      if (policy === "none") return yield* new NoOffsetError({ topic, partition, committed: position, beginning, end })
      const offset = policy === "earliest" ? beginning : end
      if (position !== undefined && offset >= position) state.passOver(assigned, offset, policy)
      else starts.push([assigned, offset])
    }
    // Else whoever takes the partition over before its first commit would begin at a later end, and pass records over.
    if (policy === "latest" && position === undefined) yield* commitStarts(starts)
    const from = policy === "latest" ? policy : "earliest"
    start(
      transport,
      starts.flatMap(([partition, offset]) =>
        position === undefined && partition.state !== "starting" ? [] : [{ partition, offset, from, settledBeyond: [] }]
      )
    )
  })

  /** Tells the group where partitions will start. */
  const commitStarts = (starts: ReadonlyArray<readonly [AssignedPartition, bigint]>) => {
    for (const [assigned, offset] of starts) assigned.willStartAt(offset)
    return starts.length === 0 ? Effect.void : Effect.ignore(state.committer.flush)
  }

  const start = (transport: TransportConsumer, starts: ReadonlyArray<Start>): void => {
    if (state.transport !== transport) return
    const live = starts.filter(({ partition }) => partition.state !== "ended")
    state.start(live)
    for (const { from, offset, partition } of live) if (from === "committed") partition.committedOffset = offset
  }

  const held = (partitions: ReadonlyArray<TopicPartition>): ReadonlyArray<AssignedPartition> =>
    partitions.flatMap((partition) => state.find(partition) ?? [])

  const handler: TransportHandler = {
    onBatch: (batch) => state.admit(batch),
    onAlive: hooks.onAlive,
    onAssignment: ({ generation, memberId, partitions }) => {
      const change = plan([...state.partitions.values()].map((partition) => partition.topicPartition), partitions)
      const kept = held(change.kept)
      state.memberId = memberId
      state.giveUp(held(change.revoked), "Revoked")
      // What is in flight may still end and be committed, in the new generation; nothing begins any more.
      if (state.isLeaving) {
        state.committer.onAssigned()
        return []
      }
      const added = change.added.map((partition) => state.add(partition))
      state.publish(ConsumerEvent.Assigned({ memberId, generation, added: change.added, kept: change.kept }))
      for (const partition of kept) partition.undrain()
      state.committer.onAssigned()
      const transport = state.transport
      if (transport !== undefined) {
        if (added.length > 0) forkGuarded(startNew(transport, added))
        const paused = kept.filter((partition) => partition.isHeldBack)
        if (paused.length > 0) transport.pause(paused.map((partition) => partition.topicPartition))
      }
      fork(hooks.onAssigned(partitions))
      // One that has not started yet is started by its own look-up.
      return kept.filter((partition) => partition.state === "active").map((partition) => ({
        topic: partition.topicPartition.topic,
        partition: partition.topicPartition.partition,
        offset: partition.position
      }))
    },
    onAdapted: (warning) => state.publish(ConsumerEvent.SettingAdapted({ transport: library.name, warning })),
    beforeRevoke: (partitions) => drain(state, held(partitions)),
    onLost: (partitions) => state.giveUp(held(partitions), "Lost"),
    onOutOfRange: (topicPartition, position) => {
      const assigned = state.find(topicPartition)
      const transport = state.transport
      if (assigned === undefined || transport === undefined) return
      forkGuarded(Effect.retry(reset(transport, [assigned], position), whileRetriable))
    }
  }

  const made = yield* library.consumer({ subscription, settings: state.settings, handler }).pipe(
    Effect.catchDefect((cause) => Effect.fail(transportDefect(library.name, cause)))
  )
  const transport: TransportConsumer = {
    warnings: made.warnings,
    run: guarded(made.run),
    start: (positions) => made.start(positions),
    pause: (partitions) => made.pause(partitions),
    resume: (partitions) => made.resume(partitions),
    heartbeat: guarded(made.heartbeat),
    commit: (offsets) => guarded(Effect.suspend(() => made.commit(offsets))),
    committed: (partitions) => guarded(Effect.suspend(() => made.committed(partitions))),
    listOffsets: (partitions, at) => guarded(Effect.suspend(() => made.listOffsets(partitions, at))),
    applySettings: (settings) => made.applySettings?.(settings) ?? new Set()
  }
  state.transport = transport
  yield* Effect.addFinalizer(() => Effect.sync(() => state.transport = undefined))
  for (const warning of transport.warnings) handler.onAdapted?.(warning)
  yield* Effect.forkScoped(Effect.catch(transport.run, fail))
  return { transport, failure: Deferred.await(fatal) }
})

const byKey = (offsets: ReadonlyArray<PartitionOffset>): ReadonlyMap<string, bigint> =>
  new Map(offsets.map(({ offset, partition, topic }) => [keyOf(topic, partition), offset]))
