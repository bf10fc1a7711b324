/** Many consumers of kafkajs in one process, each of a group of its own. */
import type { Consumer } from "kafkajs"
import { type Contender, Progress, type Task } from "./Contender.ts"
import { subscribed } from "./kafkajsClient.ts"
import { rewind } from "./kafkajsCommits.ts"
import { lapMaxWaitMs, Laps } from "./laps.ts"
import { groupOf, idle, type Seen, together, withConnections } from "./together.ts"

const lastsMs = 5_000

const run = (consumer: Consumer, counter: Seen): Promise<void> =>
  consumer.run({
    eachBatch: async ({ batch }) => {
      let bytes = 0
      for (const message of batch.messages) bytes += message.value?.length ?? 0
      counter.seen(batch.messages.length, bytes)
    }
  })

const subscribedAll = (count: number, task: Task, maxWaitMs?: number): Promise<ReadonlyArray<Consumer>> =>
  Promise.all(
    Array.from({ length: count }, (_, index) => subscribed({ ...task, group: groupOf(task.group, index) }, maxWaitMs))
  )

export const reading = (count: number): Contender => async (task) => {
  const progress = new Progress(task.records, lastsMs)
  const consumers = await subscribedAll(count, task, lapMaxWaitMs)
  await Promise.all(
    together(count, progress).map((own, index) => {
      const consumer = consumers[index]!
      const laps = new Laps(task.records, own, () => rewind(consumer, task))
      return run(consumer, { seen: (...of) => laps.seen(...of) })
    })
  )
  await progress.done
  return withConnections(progress.result())
}

export const waiting = (count: number): Contender => async (task) => {
  const progress = new Progress(count * task.records)
  const consumers = await subscribedAll(count, task)
  await Promise.all(consumers.map((consumer) => run(consumer, progress)))
  await progress.done
  return await idle(progress)
}
