/**
 * @platformatic/kafka by itself, committing after each answer to a fetch, and every five seconds. It cannot go back in a
 * stream: each lap is a new one, which begins its five seconds anew and commits at its end.
 */
import { MessagesStreamModes } from "@platformatic/kafka"
import { commitIntervalMs, Commits } from "./commits.ts"
import type { Contender } from "./Contender.ts"
import { lapMaxWaitMs, Laps } from "./laps.ts"
import { consumerOf } from "./platformatic.ts"

export const onData = (cadence: "each fetch" | "every 5 s"): Contender => async (task) => {
  const commits = new Commits(task)
  const consumer = consumerOf(task, {
    autocommit: cadence === "each fetch" ? true : commitIntervalMs,
    maxWaitMs: lapMaxWaitMs
  })
  const offsets = Array.from({ length: task.partitions }, (_, partition) => ({
    topic: task.topic,
    partition,
    offset: 0n
  }))
  let isOver = false
  void commits.progress.done.then(() => {
    isOver = true
  })
  while (!isOver) {
    const stream = await consumer.consume({ topics: [task.topic], mode: MessagesStreamModes.MANUAL, offsets })
    stream.on("autocommit", (error: Error | null) => {
      if (error === null) commits.made()
    })
    const lap = Promise.withResolvers<void>()
    const laps = new Laps(task.records, commits.progress, lap.resolve)
    stream.on("data", ({ value }) => laps.seen(1, value.length))
    await Promise.race([lap.promise, commits.progress.done])
    await stream.close()
  }
  await consumer.close(true)
  return commits.result()
}
