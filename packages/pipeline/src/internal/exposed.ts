/**
 * What one pipeline shows in Effect's metrics: brought up to date with each measurement. What is not this member's any more
 * is taken away, so that no exporter goes on telling of it.
 */
import type * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import type { LagSample, MemberMetrics, ProcessingMetrics } from "../MetricsSink.ts"
import { type MemberInstruments, ofMember, ofPartition, type PartitionGauges } from "./instruments.ts"
import type { TopicStats } from "./topicStats.ts"

type Instruments = Readonly<Record<string, Metric.Metric<number, unknown>>>

export class Exposed {
  private readonly context: Context.Context<never>
  private readonly member: MemberInstruments
  private partitions = new Map<string, PartitionGauges>()

  constructor(context: Context.Context<never>, service: string, group: string) {
    this.context = context
    this.member = ofMember(service, group)
  }

  topic({ instruments }: TopicStats, measured: ProcessingMetrics): void {
    this.show(instruments.counters, measured)
  }

  ofMember(measured: MemberMetrics): void {
    this.show(this.member.gauges, measured)
    this.show(this.member.counters, measured)
  }

  committed(durationMs: number): void {
    this.member.commitDuration.updateUnsafe(durationMs / 1_000, this.context)
  }

  /** Of all partitions that the member holds; those that it held before are another's now. */
  lag(samples: ReadonlyArray<LagSample>): void {
    const before = this.partitions
    this.partitions = new Map()
    for (const { group, lag, lagSeconds, partition, topic } of samples) {
      const key = JSON.stringify([topic, partition, group])
      const gauges = before.get(key) ?? ofPartition(topic, partition, group)
      before.delete(key)
      this.partitions.set(key, gauges)
      this.show(gauges, { lag: Number(lag), lagSeconds })
    }
    for (const gauges of before.values()) this.remove(gauges)
  }

  /** The pipeline has ended. What was counted stays. */
  end(): void {
    this.lag([])
    this.remove(this.member.gauges)
  }

  private show<Names extends string>(
    instruments: { readonly [Name in Names]: Metric.Metric<number, unknown> },
    values: { readonly [Name in NoInfer<Names>]: number }
  ): void {
    for (const name in instruments) instruments[name].updateUnsafe(inBaseUnit(name, values[name]), this.context)
  }

  private remove(instruments: Instruments): void {
    for (const metric of Object.values(instruments)) Metric.removeUnsafe(metric, this.context)
  }
}

const mebibyte = 1_048_576

const inBaseUnit = (name: string, value: number): number =>
  name.endsWith("Ms") ? value / 1_000 : name.endsWith("Mb") ? value * mebibyte : value
