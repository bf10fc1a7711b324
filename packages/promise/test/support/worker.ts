/**
 * A program as a team writes it, to be told to end: `worker.ts BROKERS TOPIC GROUP [WORK_MS]`. It says each record that it has handled;
 * where it is told how long to work on each, it says each that it begins.
 */
import { createOptimizedConsumer } from "@weft/promise"
import { setTimeout as sleep } from "node:timers/promises"

const [brokers, topic, groupId, workMs] = process.argv.slice(2) as [string, string, string, string?]

const consumer = await createOptimizedConsumer<{ readonly n: number }>({
  service: "worker",
  brokers,
  topics: [topic],
  groupId,
  logger: false
})

await consumer.run({
  eachRecord: async ({ value }) => {
    if (workMs !== undefined) {
      console.log(value.n)
      await sleep(Number(workMs))
      return
    }
    // Uneven, as what is settled in one order and handled in another must not be lost.
    await sleep(value.n % 7 === 0 ? 60 : 5)
    console.log(value.n)
  }
})
console.log("ended")
