import { assert, describe, it } from "@effect/vitest"
import { MetricsBuffer } from "../../src/internal/metricsBuffer.ts"
import type { LagSample, MemberMetrics, ProcessingMetrics } from "../../src/MetricsSink.ts"

const metric = (timestamp: number) => ({ timestamp }) as ProcessingMetrics
const member = (timestamp: number) => ({ timestamp }) as MemberMetrics
const sample = (timestamp: number) => ({ timestamp }) as LagSample

describe("metricsBuffer", () => {
  it("keeps the newest, drops the oldest and counts them", () => {
    const buffer = new MetricsBuffer(3)
    for (let i = 0; i < 5; i++) {
      buffer.add({ metrics: [metric(i)], members: [member(i)], lag: [sample(i), sample(i)] })
    }
    const { lag, members, metrics } = buffer.takeAll()
    assert.deepStrictEqual(metrics.map(({ timestamp }) => timestamp), [2, 3, 4])
    assert.deepStrictEqual(members.map(({ timestamp }) => timestamp), [2, 3, 4])
    assert.deepStrictEqual(lag.map(({ timestamp }) => timestamp), [3, 4, 4])
    assert.strictEqual(buffer.dropped, 2 + 2 + 7)
    assert.strictEqual(buffer.size, 0)
  })

  it("what was not written goes back before what came meanwhile, within the bound", () => {
    const buffer = new MetricsBuffer(4)
    buffer.add({ metrics: [metric(0), metric(1), metric(2)], members: [], lag: [] })
    const taken = buffer.takeAll()
    buffer.add({ metrics: [metric(3), metric(4)], members: [], lag: [] })
    buffer.restore(taken)
    assert.deepStrictEqual(buffer.takeAll().metrics.map(({ timestamp }) => timestamp), [1, 2, 3, 4])
    assert.strictEqual(buffer.dropped, 1)
  })
})
