/**
 * How long partitions stand still while a second member joins the group and leaves it again, at 1,000 records a second over
 * all of them. The first member is in this process; the second one and the producer have one of their own.
 */
import { setTimeout as sleep } from "node:timers/promises"
import { setGroupHeartbeat } from "../listeners/groupHeartbeat.ts"
import { listeners, type ListenerName } from "../listeners/byName.ts"
import { groupSettings } from "../listeners/Listener.ts"
import { listenElsewhere } from "../listeners/listenElsewhere.ts"
import { type Arrival, handover } from "../listeners/pauses.ts"
import { steadyFlow } from "../listeners/steadyFlow.ts"
import { decode } from "../listeners/steadyRecord.ts"
import type { Contender } from "./Contender.ts"

const perSecond = 1_000

/** When the second member comes at the earliest. */
const comesAfterMs = 1_000
/** How long it stays at least: to join, the first one must hear of it by a heartbeat. */
const staysMs = groupSettings.heartbeatMs + 2_000
/** And at least so long after its first record. */
const staysAfterFirstMs = 1_000

/** For the last records, once they have been sent. */
const patienceMs = 30_000

/** Between two heartbeats of the first member, lest it is the same one in all rounds of a client. */
const anyMoment = (): number => Math.random() * groupSettings.heartbeatMs

export const rebalanceOf = (name: ListenerName): Contender => async (task) => {
  await setGroupHeartbeat(task.brokers, task.group, groupSettings.heartbeatMs)
  const listen = await listeners[name]()
  const first: Array<Arrival> = []
  const assigned = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  const listening = listen({
    ...task,
    until: over.promise,
    onAssigned: assigned.resolve,
    onRecord: (value, partition) => {
      const atNs = process.hrtime.bigint()
      first.push({ index: decode(value).index, partition, atNs })
    }
  })
  await Promise.race([assigned.promise, listening])
  const member = listenElsewhere(name, { ...task, steady: true })
  await member.told("Loaded")
  const flow = steadyFlow({ ...task, perSecond })

  await sleep(comesAfterMs + anyMoment())
  const comesNs = process.hrtime.bigint()
  member.join()
  await Promise.all([sleep(staysMs + anyMoment()), member.told("First").then(() => sleep(staysAfterFirstMs))])
  const goesNs = process.hrtime.bigint()
  member.leave()
  const { arrivals: second } = await member.told("Left")
  await flow

  const result = () => handover({ first, second, comesNs, goesNs, endsNs: process.hrtime.bigint() })
  for (let waited = 0; result().distinct < task.records && waited < patienceMs; waited += 100) await sleep(100)
  const { distinct, join, leave, seen } = result()
  over.resolve()
  await listening
  return {
    records: distinct,
    recordsPerSecond: perSecond,
    figures: {
      "join, retained ms": join.retainedMs,
      "join, moved ms": join.movedMs,
      "leave, retained ms": leave.retainedMs,
      "leave, moved ms": leave.movedMs,
      "repeated records": seen - distinct
    }
  }
}
