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
  /** The member that took it, of a partition that it holds; empty where it was taken from outside. */
  readonly member: string
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
/** A member that is silent for so long leaves the word to who watches from outside. */
const silentMs = 60_000

const isOutside = ({ member }: PartitionSample): boolean => member === ""

/**
 * Of a partition that its member measures and somebody else watches, too, the member's samples count: it knows what is
 * settled, others what is committed, and one must not be taken for the other.
 *
 * @category models
 * @since 0.1.0
 */
export class PartitionWindows {
  private readonly watched = new Map<string, Watched>()

  /** The same sample again, or an older one than the last, changes nothing. */
  add(sample: PartitionSample): void {
    const key = JSON.stringify([sample.service, sample.group, sample.topic, sample.partition, isOutside(sample)])
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
    const known = new Map<string, Watched>()
    for (const [key, one] of this.watched) {
      const { sample } = one
      if (now - sample.timestamp > staleMs) {
        this.watched.delete(key)
        continue
      }
      const place = JSON.stringify([sample.service, sample.topic, sample.partition])
      const other = known.get(place)
      if (other === undefined || rank(one, now) > rank(other, now)) known.set(place, one)
    }
    return [...known.values()].map(({ sample, window }): PartitionFacts => {
      const points = window.points()
      const status = isOutside(sample)
        // Commits may be rare: a whole window without one.
        ? LagStatus.classify(points, { _tag: "Unknown" }, { stallSamples: window.capacity })
        : LagStatus.classify(points, { _tag: "Member" })
      const spanMs = sample.timestamp - points[0]!.at
      // It holds records all the while, and none of them settles.
      const isStuck = status === "stall" && oldestInFlightMs(sample.service, sample.member) * 2 >= spanMs
      return {
        service: sample.service,
        topic: sample.topic,
        partition: sample.partition,
        at: sample.timestamp,
        lag: Number(sample.lag),
        lagSeconds: sample.lagSeconds,
        offset: sample.consumerOffset,
        end: sample.endOffset,
        member: sample.member,
        status: isStuck ? "stuck" : status
      }
    })
  }
}

/** A member that speaks comes first, then whoever spoke last. */
const rank = ({ sample }: Watched, now: number): number =>
  isOutside(sample) || now - sample.timestamp > silentMs ? sample.timestamp : Number.POSITIVE_INFINITY
