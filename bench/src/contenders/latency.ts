/**
 * From the moment a record is due at the producer until the handler is called with it, at 1,000 records a second.
 *
 * The schedule is constant and waits for no answer, and a record counts from when it was due, not from when it was sent: a
 * pause of the client, of the broker or of the producer is seen in all records that it held up (no coordinated omission).
 * How late the producer was by itself, most of all by timers of whole milliseconds, is told apart.
 */
import { listeners, type ListenerName } from "../listeners/byName.ts"
import { quantile } from "../listeners/quantile.ts"
import { steadyFlow } from "../listeners/steadyFlow.ts"
import { decode } from "../listeners/steadyRecord.ts"
import type { Contender } from "./Contender.ts"

const perSecond = 1_000

/** Not counted: in these seconds it joins, and what runs often is compiled. */
const warmUpSeconds = 3

/** For the last records, once they have been sent. */
const patienceMs = 30_000

export const latencyOf = (name: ListenerName): Contender => async (task) => {
  const listen = await listeners[name]()
  const from = warmUpSeconds * perSecond
  const latencies = new Float64Array(task.records).fill(-1)
  const lateness = new Float64Array(task.records)
  const { promise: complete, reject, resolve } = Promise.withResolvers<void>()
  let left = task.records
  let counted: { readonly at: number; readonly cpu: NodeJS.CpuUsage } | undefined
  const listening = listen({
    ...task,
    until: complete.catch(() => {}),
    onRecord: (value) => {
      const now = process.hrtime.bigint()
      const { dueNs, index, sentNs } = decode(value)
      if (latencies[index] !== -1) return
      if (index >= from) counted ??= { at: performance.now(), cpu: process.cpuUsage() }
      latencies[index] = Number(now - dueNs) / 1e6
      lateness[index] = Number(sentNs - dueNs) / 1e6
      if (--left === 0) resolve()
    }
  })
  await steadyFlow({ ...task, perSecond })
  const patience = setTimeout(() => reject(new Error(`${left} records did not arrive`)), patienceMs)
  await complete
  clearTimeout(patience)
  const cpu = process.cpuUsage(counted!.cpu)
  const seconds = (performance.now() - counted!.at) / 1_000
  await listening
  const own = latencies.slice(from)
  const sent = own.map((latency, i) => latency - lateness[from + i]!).sort()
  const late = lateness.slice(from).sort()
  own.sort()
  return {
    records: task.records,
    recordsPerSecond: own.length / seconds,
    cpuSecondsPerMillion: (cpu.user + cpu.system) / own.length,
    peakRssMb: process.resourceUsage().maxRSS / 1024,
    figures: {
      "p50 ms": quantile(own, 0.5),
      "p99 ms": quantile(own, 0.99),
      "p99.9 ms": quantile(own, 0.999),
      "p99 ms since sent": quantile(sent, 0.99),
      "sent late, p99 ms": quantile(late, 0.99)
    }
  }
}
