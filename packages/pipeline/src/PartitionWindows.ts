/**
 * The last samples of every partition that somebody measures, and what they mean: what is needed to judge the lag of
 * services that run elsewhere.
 *
 * @since 0.1.0
 */
import type { PartitionFacts } from "./AlertFacts.ts"
import * as LagStatus from "./LagStatus.ts"
import * as LagWindow from "./LagWindow.ts"

/**
 * A sample of a partition, whoever took it.
 *
 * @category models
 * @since 0.1.0
 */
export interface PartitionSample {
  readonly service: string
  readonly group: string
  readonly topic: string
  readonly partition: number
  /** Who holds it; empty: nobody; `undefined`: that is not known. */
  readonly member: string | undefined
  readonly consumerOffset: bigint
  readonly endOffset: bigint
  readonly lag: bigint
  readonly lagSeconds: number | undefined
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

interface Watched {
  readonly window: LagWindow.LagWindow
  sample: PartitionSample
}

/** A partition that was not measured for so long has no lag that one could speak of. */
const staleMs = 300_000

const readerOf = ({ member }: PartitionSample): LagStatus.Reader =>
  member === undefined ? { _tag: "Unknown" } : member === "" ? { _tag: "Nobody" } : { _tag: "Member" }

/**
 * @category models
 * @since 0.1.0
 */
export class PartitionWindows {
  private readonly watched = new Map<string, Watched>()

  /** The same sample again, or an older one than the last, changes nothing. */
  add(sample: PartitionSample): void {
    const key = JSON.stringify([sample.service, sample.group, sample.topic, sample.partition])
    let watched = this.watched.get(key)
    if (watched === undefined) {
      watched = { window: new LagWindow.LagWindow(), sample }
      this.watched.set(key, watched)
    } else if (sample.timestamp <= watched.sample.timestamp) return
    watched.sample = sample
    watched.window.push({ at: sample.timestamp, offset: sample.consumerOffset, end: sample.endOffset })
  }

  /** What is known now. `oldestInFlightMs` tells of a member for how long its oldest record has been at work. */
  facts(now: number, oldestInFlightMs: (service: string, member: string) => number): ReadonlyArray<PartitionFacts> {
    return [...this.watched].flatMap(([key, { sample, window }]): ReadonlyArray<PartitionFacts> => {
      if (now - sample.timestamp > staleMs) {
        this.watched.delete(key)
        return []
      }
      const points = window.points()
      const status = LagStatus.classify(points, readerOf(sample))
      const spanMs = sample.timestamp - points[0]!.at
      // It holds records all the while, and none of them settles.
      const isStuck = status === "stall" && oldestInFlightMs(sample.service, sample.member ?? "") * 2 >= spanMs
      return [{
        service: sample.service,
        topic: sample.topic,
        partition: sample.partition,
        at: sample.timestamp,
        lag: Number(sample.lag),
        lagSeconds: sample.lagSeconds,
        offset: sample.consumerOffset,
        end: sample.endOffset,
        member: sample.member ?? "",
        status: isStuck ? "stuck" : status
      }]
    })
  }
}
