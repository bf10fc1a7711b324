/**
 * When records were written, by an admin client alone: the broker is asked for offsets by time until the time of each
 * offset is known well enough. No record is read.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { Admin } from "./Admin.ts"
import * as TopicPartition from "./TopicPartition.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface OffsetTime extends TopicPartition.PartitionOffset {
  /**
   * Milliseconds since 1970, within a twentieth of the record's age, or half a second for those of the last second.
   * `undefined` where the record is older than a year, or its timestamp cannot be a time of writing.
   */
  readonly writtenAt: number | undefined
}

/** Ages are told apart where one is a twelfth more than the other: eight steps to double. */
const ageOf = (step: number): number => 1_000 * 2 ** (step / 8)

/** The last one is the first age above a year. */
const steps = 8 * 25 + 1

/** Between the two ages that were told apart; of the youngest records, half the least. */
const middle = (step: number): number => (step === 0 ? ageOf(0) : ageOf(step - 1) + ageOf(step)) / 2

/** Requests under way at the same time. */
const concurrency = 4

interface Search {
  readonly place: TopicPartition.PartitionOffset
  /** The record is not younger than the age before this step, ... */
  low: number
  /** ... and younger than the age of this step, or of none. */
  high: number
}

/**
 * When the records at these offsets were written, in the order asked for: `now` is milliseconds since 1970. Each offset
 * costs eight look-ups by time; those of all partitions that are searched for at the same age are one request. Right as
 * far as timestamps rise with offsets.
 *
 * @category combinators
 * @since 0.1.0
 */
export const writtenAt = Effect.fnUntraced(function*(
  places: ReadonlyArray<TopicPartition.PartitionOffset>,
  now: number
) {
  const admin = yield* Admin
  const searches = places.map((place): Search => ({ place, low: 0, high: steps }))

  /** A record is younger than an age where the first record since then is not after it. */
  const narrow = Effect.fnUntraced(function*(step: number, asked: ReadonlyArray<Search>) {
    const found = yield* admin.listOffsets(
      asked.map(({ place }) => TopicPartition.make(place.topic, place.partition)),
      { timestamp: Math.floor(now - ageOf(step)) }
    )
    found.forEach(({ offset }, i) => {
      const search = asked[i]!
      if (offset <= search.place.offset) search.high = step
      else search.low = step + 1
    })
  })

  for (;;) {
    const open = searches.filter(({ high, low }) => low < high)
    if (open.length === 0) break
    const byStep = Map.groupBy(open, ({ high, low }) => (low + high) >> 1)
    yield* Effect.forEach(byStep, ([step, asked]) => narrow(step, asked), { concurrency, discard: true })
  }
  return searches.map(({ low, place }): OffsetTime => ({
    topic: place.topic,
    partition: place.partition,
    offset: place.offset,
    writtenAt: low === steps ? undefined : now - middle(low)
  }))
})
