import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type AlertTransition, keyOf } from "../src/Alert.ts"
import * as AlertTracker from "../src/AlertTracker.ts"

const hysteresis: AlertTracker.Hysteresis = {
  openAfterLooks: 3,
  openAfterMs: 0,
  closeAfterLooks: 2,
  closeAfterMs: 0,
  clearUpTo: 0.8
}

const marks = { warning: 100, critical: 1_000 }

const reading = (at: number, value: number, more: Partial<AlertTracker.Reading> = {}): AlertTracker.Reading => ({
  service: "s",
  kind: "lag",
  topic: "t",
  partition: undefined,
  at,
  value,
  marks,
  hysteresis,
  tell: () => ({ message: `the value is ${value}`, evidence: { value } }),
  ...more
})

const second = 1_000

/** A look each second at the values of one subject; `undefined` is a look that finds no measurement. */
const looks = (
  values: ReadonlyArray<number | undefined>,
  more: Partial<AlertTracker.Reading> = {},
  state = AlertTracker.empty,
  from = 0
) => {
  const transitions: Array<AlertTransition & { readonly at: number }> = []
  let looked: AlertTracker.Looked = { state, transitions: [], refreshed: [] }
  values.forEach((value, i) => {
    const now = (from + i) * second
    looked = AlertTracker.look(looked.state, value === undefined ? [] : [reading(now, value, more)], now, {
      expireAfterMs: 10 * second
    })
    transitions.push(...looked.transitions.map((one) => ({ ...one, at: from + i })))
  })
  return { ...looked, transitions }
}

const told = (transitions: ReadonlyArray<AlertTransition & { readonly at: number }>) =>
  transitions.map((one) => [one.at, one._tag, one.alert.severity])

const repeat = (value: number, times: number) => Array.from({ length: times }, () => value)

describe("AlertTracker", () => {
  it("opens after so many bad looks in a row, and closes after so many good ones", () => {
    const { state, transitions } = looks([0, 150, 150, 0, 150, 150, 150, 150, 0, 90, 0, 0, 0])
    assert.deepStrictEqual(told(transitions), [[6, "Opened", "warning"], [11, "Closed", "warning"]])
    const [opened, closed] = transitions
    assert.deepInclude(opened!.alert, { openedAt: 6_000, closedAt: undefined, message: "the value is 150" })
    assert.deepInclude(closed, { because: "recovered" })
    assert.deepInclude(closed!.alert, { openedAt: 6_000, closedAt: 11_000, message: "the value is 90" })
    assert.strictEqual(state.tracked.size, 0)
  })

  it("wants the bad looks to span as long as it says", () => {
    const slow = { hysteresis: { ...hysteresis, openAfterMs: 5 * second, closeAfterMs: 4 * second } }
    assert.deepStrictEqual(told(looks([...repeat(150, 8), ...repeat(0, 8)], slow).transitions), [
      [5, "Opened", "warning"],
      [12, "Closed", "warning"]
    ])
  })

  it("gets worse and better by the same rule, in one alert", () => {
    const values = [...repeat(150, 4), ...repeat(2_000, 3), ...repeat(150, 3), ...repeat(3_000, 3), ...repeat(0, 3)]
    const { transitions } = looks(values)
    assert.deepStrictEqual(told(transitions), [
      [2, "Opened", "warning"],
      [6, "Changed", "critical"],
      [8, "Changed", "warning"],
      [12, "Changed", "critical"],
      [14, "Closed", "critical"]
    ])
    assert.deepStrictEqual(new Set(transitions.map(({ alert }) => alert.openedAt)), new Set([2_000]))
  })

  it("opens as critical at once where it is", () => {
    assert.deepStrictEqual(told(looks(repeat(5_000, 5)).transitions), [[2, "Opened", "critical"]])
  })

  it("a value at the mark is not above it; between the lower mark and it nothing changes", () => {
    assert.deepStrictEqual(looks(repeat(100, 10)).transitions, [])
    assert.deepStrictEqual(told(looks([...repeat(101, 3), ...repeat(81, 20)]).transitions), [[2, "Opened", "warning"]])
    assert.deepStrictEqual(told(looks([...repeat(101, 3), ...repeat(80, 2)]).transitions), [
      [2, "Opened", "warning"],
      [4, "Closed", "warning"]
    ])
  })

  it("the same measurement seen again is no other look", () => {
    let state = AlertTracker.empty
    for (let i = 0; i < 20; i++) {
      const looked = AlertTracker.look(state, [reading(1_000, 5_000)], i * second)
      assert.deepStrictEqual(looked.transitions, [])
      state = looked.state
    }
  })

  it("what is not measured any more closes with that reason, and not before it has waited", () => {
    const { transitions } = looks([...repeat(150, 3), ...Array.from({ length: 12 }, () => undefined)])
    assert.deepStrictEqual(told(transitions), [[2, "Opened", "warning"], [12, "Closed", "warning"]])
    assert.deepInclude(transitions[1], { because: "not measured" })
    assert.lengthOf(looks([...repeat(150, 3), ...repeat(0, 1), undefined, undefined, 150, 150]).transitions, 1)
  })

  it("goes on from open alerts as their evaluator would have", () => {
    const { state } = looks(repeat(5_000, 3))
    const next = AlertTracker.fromOpen(AlertTracker.open(state), 100 * second)
    const { refreshed, transitions } = looks([5_000, 5_000, 0, 0, 0], {}, next, 101)
    assert.deepStrictEqual(refreshed, [])
    assert.deepStrictEqual(told(transitions), [[104, "Closed", "critical"]])
    assert.strictEqual(transitions[0]!.alert.openedAt, 2_000)
    const silent = looks(Array.from({ length: 11 }, () => undefined), {}, next, 101)
    assert.deepStrictEqual(silent.transitions.map((one) => one._tag === "Closed" && one.because), ["not measured"])
  })

  it("tells the newest figures of what stays open", () => {
    const { refreshed } = looks([150, 150, 150, 170])
    assert.deepStrictEqual(refreshed.map(({ message }) => message), ["the value is 170"])
  })

  it("tells subjects apart by service, kind, topic and partition", () => {
    const different: ReadonlyArray<Partial<AlertTracker.Reading>> = [
      {},
      { service: "other" },
      { kind: "stuck" },
      { topic: "other" },
      { topic: undefined },
      { partition: 0 },
      { partition: 1 }
    ]
    let state = AlertTracker.empty
    const opened: Array<string> = []
    for (let i = 0; i < 3; i++) {
      const looked = AlertTracker.look(state, different.map((more) => reading(i, 150, more)), i)
      state = looked.state
      opened.push(...looked.transitions.map(({ alert }) => keyOf(alert)))
    }
    assert.strictEqual(new Set(opened).size, different.length)
    assert.strictEqual(opened.length, different.length)
  })

  it("nothing is known of a value that is no number", () => {
    assert.deepStrictEqual(looks(repeat(Number.NaN, 10)).transitions, [])
    assert.lengthOf(looks([150, 150, 150, Number.NaN, Number.NaN, Number.NaN]).transitions, 1)
  })
})

describe("AlertTracker, whatever comes", () => {
  const value = fc.oneof(
    fc.constantFrom<number | undefined>(0, 80, 81, 99, 100, 101, 800, 801, 1_000, 1_001, undefined),
    fc.integer({ min: 0, max: 2_000 })
  )
  const rule = fc.record({
    openAfterLooks: fc.integer({ min: 1, max: 4 }),
    openAfterMs: fc.constantFrom(0, 2_000, 3_500),
    closeAfterLooks: fc.integer({ min: 1, max: 4 }),
    closeAfterMs: fc.constantFrom(0, 2_000, 3_500),
    clearUpTo: fc.constantFrom(0, 0.5, 0.8, 1)
  })

  it("opens and closes take turns, severities are told as they change, and every open one is closed in the end", () => {
    fc.assert(fc.property(fc.array(value, { maxLength: 80 }), rule, (values, hysteresis) => {
      const { transitions } = looks([...values, ...repeat(0, 12)], { hysteresis })
      let severity: string | undefined
      for (const one of transitions) {
        switch (one._tag) {
          case "Opened":
            assert.isUndefined(severity)
            severity = one.alert.severity
            break
          case "Changed":
            assert.strictEqual(one.from, severity)
            assert.notStrictEqual(one.alert.severity, severity)
            severity = one.alert.severity
            break
          case "Closed":
            assert.isDefined(severity)
            assert.isDefined(one.alert.closedAt)
            severity = undefined
        }
      }
      assert.isUndefined(severity)
    }))
  })

  it("what only moves between the lower mark and the mark changes nothing, open or not", () => {
    const between = fc.array(fc.integer({ min: 81, max: 100 }), { maxLength: 60 })
    fc.assert(fc.property(between, (values) => {
      assert.deepStrictEqual(looks(values).transitions, [])
      assert.deepStrictEqual(told(looks([150, 150, 150, ...values]).transitions), [[2, "Opened", "warning"]])
    }))
  })

  it("what swings above the lower mark opens once and never closes, however it swings", () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 81, max: 800 }), { maxLength: 80 }), (values) => {
      assert.isAtMost(looks(values).transitions.length, 1)
    }))
  })

  it("nothing opens without as many bad looks in a row before it, nor closes without as many good ones", () => {
    const values = fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 80 })
    fc.assert(fc.property(values, rule, (values, hysteresis) => {
      const { clearUpTo, closeAfterLooks, openAfterLooks } = hysteresis
      const before = (at: number, looks: number) => values.slice(at + 1 - looks, at + 1)
      const unfounded = looks(values, { hysteresis }).transitions.filter(({ _tag, at }) =>
        _tag === "Opened"
          ? before(at, openAfterLooks).some((value) => value <= 100)
          : before(at, closeAfterLooks).some((value) => value > 100 * clearUpTo)
      )
      assert.deepStrictEqual(unfounded, [])
    }))
  })

  it("goes on after a change of the evaluator without opening anything twice or closing it without good looks", () => {
    const some = fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 40 })
    fc.assert(fc.property(some, some, (before, after) => {
      const first = looks(before)
      const open = AlertTracker.open(first.state)
      const second = looks(after, {}, AlertTracker.fromOpen(open, before.length * 1_000), before.length)
      const [next] = second.transitions
      if (next === undefined) return
      assert.strictEqual(next._tag === "Opened", open.length === 0)
    }))
  })

  it("keeps nothing of what is well", () => {
    fc.assert(fc.property(fc.array(value, { maxLength: 40 }), (values) => {
      assert.strictEqual(looks([...values, ...repeat(0, 12)]).state.tracked.size, 0)
    }))
  })
})
