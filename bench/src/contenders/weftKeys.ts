/** Five milliseconds of asynchronous work for each record, in order by key, 64 at a time; and the same without anything around it. */
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Effect from "effect/Effect"
import type { Contender } from "./Contender.ts"
import { optionsOf, running } from "./weftPipeline.ts"

const workMs = 5
const workers = 64

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, workMs))

export const byKey: Contender = (task, progress) =>
  running(
    task,
    progress,
    Pipeline.make({
      ...optionsOf(task),
      order: "key",
      concurrency: workers,
      process: (record) => Effect.map(Effect.promise(pause), () => progress.seen(1, record.value?.length ?? 0))
    })
  )

/** What timers of this length give on this machine: 64 loops that do nothing but wait. */
export const timersAlone: Contender = async (task, progress) => {
  let left = task.records
  const bytes = task.bytes
  const loop = async () => {
    while (left-- > 0) {
      await pause()
      progress.seen(1, bytes)
    }
  }
  await Promise.all(Array.from({ length: workers }, loop))
}
