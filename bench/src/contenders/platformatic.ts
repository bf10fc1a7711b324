/** @platformatic/kafka by itself, in both of its forms: events of a stream, and `for await`. */
import { Consumer, MessagesStreamModes } from "@platformatic/kafka"
import { type Contender, fetchSettings, type Task } from "./Contender.ts"

interface Own {
  /** After each fetch, or every so many milliseconds. */
  readonly autocommit?: true | number | undefined
  readonly maxWaitMs?: number | undefined
}

export const consumerOf = (
  task: Pick<Task, "brokers" | "group">,
  { autocommit = 5_000, maxWaitMs = fetchSettings.maxWaitMs }: Own = {}
): Consumer =>
  new Consumer({
    clientId: "bench",
    groupId: task.group,
    bootstrapBrokers: [...task.brokers],
    autocommit,
    minBytes: fetchSettings.minBytes,
    maxWaitTime: maxWaitMs,
    maxBytes: fetchSettings.maxBytes,
    maxBytesPerPartition: fetchSettings.maxBytesPerPartition
  })

const opened = async (task: Task) => {
  const consumer = consumerOf(task)
  const stream = await consumer.consume({ topics: [task.topic], mode: MessagesStreamModes.EARLIEST })
  return { stream, close: () => stream.close().then(() => consumer.close(true)) }
}

export const onData: Contender = async (task, progress) => {
  const { close, stream } = await opened(task)
  stream.on("data", ({ value }) => progress.seen(1, value.length))
  await progress.done
  await close()
}

export const forAwait: Contender = async (task, progress) => {
  const { close, stream } = await opened(task)
  const reading = (async () => {
    for await (const { value } of stream) progress.seen(1, value.length)
  })()
  await progress.done
  await close()
  await reading
}
