/**
 * A program as a team writes it, to be told to end: `worker.ts BROKERS TOPIC GROUP COUNT SIGNAL`. It says each record that it
 * has handled, and after so many it gets the signal: from itself, as whoever reads along may be late. With the COUNT 0 it
 * begins its records and never ends them: it says each that it begins, and when signals end it at once.
 */
import { createOptimizedConsumer } from "@weft/promise"
import { setTimeout as sleep } from "node:timers/promises"

const [brokers, topic, groupId, count, signal] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  NodeJS.Signals
]
const isEndless = count === "0"
let handled = 0

const consumer = await createOptimizedConsumer<{ readonly n: number }>({
  service: "worker",
  brokers,
  topics: [topic],
  groupId,
  logger: false
})

if (isEndless) {
  process.once(signal, () => {
    const asking = setInterval(() => {
      if (process.listenerCount(signal) > 0) return
      clearInterval(asking)
      console.log("alone")
    }, 20)
  })
}

await consumer.run({
  eachRecord: async ({ value }) => {
    if (isEndless) {
      console.log(value.n)
      await sleep(600_000)
      return
    }
    // Uneven, as what is settled in one order and handled in another must not be lost.
    await sleep(value.n % 7 === 0 ? 60 : 5)
    console.log(value.n)
    if (++handled === Number(count)) process.kill(process.pid, signal)
  }
})
console.log("ended")
