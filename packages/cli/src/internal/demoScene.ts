/** What `weft demo` runs: orders that come in, and a pipeline that takes its time for each and fails now and then. */
import * as Codec from "@weft/kafka/Codec"
import * as Producer from "@weft/kafka/Producer"
import * as FailurePolicy from "@weft/pipeline/FailurePolicy"
import * as Pipeline from "@weft/pipeline/Pipeline"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"

const Order = Schema.Struct({ customer: Schema.String, number: Schema.Finite, isBroken: Schema.Boolean })

class PaymentRefused extends Data.TaggedError("PaymentRefused")<{ readonly message: string }> {}
class BankAway extends Data.TaggedError("BankAway")<{ readonly message: string }> {}

const customers = 40
const perTick = 10
const tickMs = 50
/** One order in so many can never be paid: it becomes a dead letter. */
const brokenEvery = 400
/** And so many attempts find the bank away: they are made again. */
const awayShare = 0.01

export const pipeline = (service: string, topic: string) =>
  Pipeline.make({
    service,
    topics: [topic],
    key: Codec.string,
    value: Codec.json(Order),
    tombstones: "skip",
    order: "key",
    metricsInterval: "1 second",
    onFailure: { PaymentRefused: FailurePolicy.deadLetter },
    process: Effect.fnUntraced(function*({ value: { isBroken, number } }) {
      yield* Effect.sleep(yield* Random.nextIntBetween(5, 40))
      if (isBroken) return yield* new PaymentRefused({ message: `order ${number} has no account` })
      if ((yield* Random.next) < awayShare) return yield* new BankAway({ message: "the bank does not answer" })
    })
  })

/** Writes orders, 200 a second, until it is over; tells how many. */
export const send = (topic: string, onSent: (records: number) => void, isOver: () => boolean) => {
  const codec = Codec.json(Order)
  let number = 0
  const order = Effect.gen(function*() {
    number++
    const customer = `customer-${yield* Random.nextIntBetween(0, customers)}`
    const value = yield* Effect.fromResult(
      Codec.encode(codec, { customer, number, isBroken: number % brokenEvery === 0 })
    )
    return { topic, key: customer, value }
  })
  const tick = Effect.gen(function*() {
    yield* Producer.sendAll(yield* Effect.forEach(Array.from({ length: perTick }), () => order))
    onSent(perTick)
    yield* Effect.sleep(tickMs)
  })
  return Effect.repeat(tick, { until: isOver })
}
