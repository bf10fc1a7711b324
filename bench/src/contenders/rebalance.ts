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

const comesAfterMs = 2_000
/** How long the second member stays: to join, the first one must hear of it by a heartbeat. */
const staysMs = groupSettings.heartbeatMs + 2_500
/** And at least so long after its first record. */
const staysAfterFirstMs = 1_000

/** For the last records, once they have been sent. */
const patienceMs = 30_000

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

  await sleep(comesAfterMs)
  const comesNs = process.hrtime.bigint()
  member.join()
  // At any moment between two heartbeats of the first member, lest all rounds of a client have the same one.
  const moment = Math.random() * groupSettings.heartbeatMs
  await Promise.all([sleep(staysMs + moment), member.told("First").then(() => sleep(staysAfterFirstMs))])
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
