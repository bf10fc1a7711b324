import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { KeyLanes, type Lane, type LaneGroup, type LaneItem } from "../../src/internal/keyLanes.ts"

class Item implements LaneItem {
  readonly key: string | undefined
  readonly sequence: number
  isLive = true
  size = 1
  constructor(key: string | undefined, sequence: number) {
    this.key = key
    this.sequence = sequence
  }
  prune(): boolean {
    return this.isLive
  }
}

type Group = LaneGroup<Item, string>

const make = (options: { readonly maxInFlight?: number; readonly groupMax?: number } = {}) => {
  const room: Array<string> = []
  const limits = { maxInFlight: options.maxInFlight ?? Infinity, groupMax: options.groupMax ?? Infinity }
  const lanes = new KeyLanes<Item, string>({
    maxInFlight: () => limits.maxInFlight,
    groupMax: () => limits.groupMax,
    onRoom: (group) => room.push(group.owner)
  })
  return { lanes, room, limits }
}

const add = (lanes: KeyLanes<Item, string>, group: Group, key: string | undefined, sequence = 0) => {
  lanes.hold(group, 1)
  lanes.add(group, key, new Item(key, sequence))
}

const done = (lanes: KeyLanes<Item, string>, lane: Lane<Item, string>) => {
  lanes.finish(lane)
  lanes.settled(lane.group, 1)
}

describe("keyLanes", () => {
  it("a key that is running is not handed out again before it is finished", () => {
    const { lanes } = make()
    const group = lanes.open("p")
    for (const key of ["a", "a", "b", undefined, undefined]) add(lanes, group, key)
    const taken = [lanes.next()!, lanes.next()!, lanes.next()!, lanes.next()!]
    assert.deepStrictEqual(taken.map((lane) => lane.key), ["a", "b", undefined, undefined])
    assert.isUndefined(lanes.next())
    done(lanes, taken[0]!)
    assert.strictEqual(lanes.next()?.key, "a")
  })

  it("a group that drains has no room before nothing is held, and then at once", () => {
    const { lanes, room } = make({ maxInFlight: 8 })
    const group = lanes.open("p")
    const other = lanes.open("q")
    for (const key of ["a", "b"]) add(lanes, group, key)
    group.draining = true
    assert.strictEqual(lanes.room(group), 0)
    assert.strictEqual(lanes.room(other), 4)
    done(lanes, lanes.next()!)
    assert.deepStrictEqual([room, lanes.room(group)], [[], 0])
    done(lanes, lanes.next()!)
    assert.deepStrictEqual([room, lanes.room(group)], [["p"], 4])
  })

  it("a group that drains does not take the turn of one that waits for the total to fall", () => {
    const { lanes, room } = make({ maxInFlight: 2 })
    const [draining, waiting] = [lanes.open("p"), lanes.open("q")]
    add(lanes, draining, "a")
    add(lanes, waiting, "b")
    draining.draining = true
    assert.deepStrictEqual([lanes.room(draining), lanes.room(waiting)], [0, 0])
    assert.strictEqual(lanes.next()!.key, "a")
    done(lanes, lanes.next()!)
    assert.deepStrictEqual(room, ["q"])
  })

  it("partitions take turns, and so do the keys of one", () => {
    const { lanes } = make()
    const busy = lanes.open("busy")
    const quiet = lanes.open("quiet")
    for (let i = 0; i < 10; i++) add(lanes, busy, `b${i}`)
    for (let i = 0; i < 3; i++) add(lanes, quiet, `q${i}`)
    const order = Array.from({ length: 7 }, () => lanes.next()!.key)
    assert.deepStrictEqual(order, ["b0", "q0", "b1", "q1", "b2", "q2", "b3"])
  })

  it("a parked lane is not in line; only the latest parking can end it", () => {
    const { lanes } = make()
    const group = lanes.open("p")
    add(lanes, group, "a")
    const lane = lanes.next()!
    const first = lanes.park(lane)
    assert.isUndefined(lanes.next())
    assert.isTrue(lanes.unpark(lane, first))
    assert.isFalse(lanes.unpark(lane, first))
    const again = lanes.next()!
    assert.strictEqual(again, lane)
    const second = lanes.park(again)
    assert.isFalse(lanes.unpark(lane, first))
    assert.isTrue(lanes.unpark(lane, second))
  })

  it("a suspended partition hands out nothing, the others do", () => {
    const { lanes } = make()
    const [p, q] = [lanes.open("p"), lanes.open("q")]
    add(lanes, p, "a")
    add(lanes, q, "b")
    lanes.suspend(p)
    assert.strictEqual(lanes.ready, 1)
    assert.strictEqual(lanes.next()?.key, "b")
    assert.isUndefined(lanes.next())
    lanes.resume(p)
    assert.strictEqual(lanes.next()?.key, "a")
  })

  it("pruning forgets what ended everywhere but in the hands of a worker, and frees its room", () => {
    const { lanes } = make()
    const group = lanes.open("p")
    const items = ["r", "r", "parked", undefined, "ready"].map((key) => new Item(key, 0))
    lanes.hold(group, items.length)
    for (const item of items) lanes.add(group, item.key, item)
    const running = lanes.next()!
    const parked = lanes.next()!
    const parking = lanes.park(parked)
    for (const item of items) item.isLive = false
    lanes.prune(group)
    assert.strictEqual(lanes.total, 1)
    assert.isFalse(lanes.unpark(parked, parking))
    assert.isUndefined(lanes.next())
    done(lanes, running)
    assert.strictEqual(lanes.total, 0)
    assert.isUndefined(lanes.next())
  })

  it("lanes in line are counted: those that are pruned, suspended or closed are not", () => {
    const { lanes } = make()
    const [group, other] = [lanes.open("p"), lanes.open("q")]
    const items = ["a", "b", "c"].map((key, sequence) => {
      const item = new Item(key, sequence)
      lanes.hold(group, 1)
      lanes.add(group, key, item)
      return item
    })
    add(lanes, other, "d")
    assert.strictEqual(lanes.ready, 4)
    items[1]!.isLive = false
    lanes.prune(group)
    assert.strictEqual(lanes.ready, 3)
    lanes.suspend(group)
    lanes.suspend(group)
    assert.strictEqual(lanes.ready, 1)
    lanes.close(group)
    lanes.resume(group)
    assert.strictEqual(lanes.ready, 1)
    lanes.close(other)
    assert.strictEqual(lanes.ready, 0)
  })

  it("a closed partition leaves nothing behind, and what a worker had of it is not counted twice", () => {
    const { lanes } = make()
    const group = lanes.open("p")
    add(lanes, group, "a")
    add(lanes, group, "a")
    add(lanes, group, "b")
    const lane = lanes.next()!
    lanes.close(group)
    assert.strictEqual(lanes.total, 0)
    done(lanes, lane)
    assert.strictEqual(lanes.total, 0)
    assert.isUndefined(lanes.next())
  })

  it("room is shared evenly, and a group is told only when a quarter of its share is free or its line is empty", () => {
    const { lanes, room } = make({ maxInFlight: 16 })
    const [p, q] = [lanes.open("p"), lanes.open("q")]
    assert.strictEqual(lanes.room(p), 8)
    for (let i = 0; i < 8; i++) add(lanes, p, `k${i}`)
    assert.strictEqual(lanes.room(p), 0)
    assert.strictEqual(lanes.room(q), 8)
    done(lanes, lanes.next()!)
    assert.deepStrictEqual(room, [])
    done(lanes, lanes.next()!)
    assert.deepStrictEqual(room, ["p"])
    assert.strictEqual(lanes.room(p), 2)
  })

  it("a group whose line is empty gets whatever room there is", () => {
    const { lanes, room } = make({ maxInFlight: 8 })
    const p = lanes.open("p")
    for (let i = 0; i < 8; i++) add(lanes, p, i < 7 ? "slow" : "quick")
    assert.strictEqual(lanes.room(p), 0)
    const slow = lanes.next()!
    assert.strictEqual(slow.key, "slow")
    done(lanes, lanes.next()!)
    assert.deepStrictEqual(room, ["p"])
    assert.strictEqual(lanes.room(p), 1)
  })

  it("when the bound on all is lowered, those who wait for the total are served in turn", () => {
    const { limits, lanes, room } = make({ maxInFlight: 8 })
    const groups = ["p", "q", "r", "s"].map((name) => lanes.open(name))
    for (const group of groups) for (let i = 0; i < 2; i++) add(lanes, group, `${group.owner}${i}`)
    limits.maxInFlight = 2
    for (const group of groups) assert.strictEqual(lanes.room(group), 0)
    for (let i = 0; i < 7; i++) done(lanes, lanes.next()!)
    assert.isAbove(room.length, 0)
    assert.isAtMost(lanes.total, 1)
  })

  it("property: each key in order, nothing lost, nothing twice, never more than the bounds, never stuck", () => {
    const step = fc.oneof(
      fc.record({
        _tag: fc.constant("take" as const),
        group: fc.nat(2),
        key: fc.option(fc.nat(4), { nil: undefined })
      }),
      fc.record({ _tag: fc.constant("next" as const) }),
      fc.record({ _tag: fc.constant("finish" as const), at: fc.nat(7) }),
      fc.record({ _tag: fc.constant("park" as const), at: fc.nat(7) }),
      fc.record({ _tag: fc.constant("unpark" as const), at: fc.nat(7) }),
      fc.record({ _tag: fc.constant("suspend" as const), group: fc.nat(2) }),
      fc.record({ _tag: fc.constant("resume" as const), group: fc.nat(2) })
    )
    fc.assert(fc.property(fc.array(step, { maxLength: 300 }), fc.integer({ min: 3, max: 20 }), (steps, maxInFlight) => {
      const { lanes, room } = make({ maxInFlight })
      const groups = ["p", "q", "r"].map((name) => lanes.open(name))
      const running: Array<Lane<Item, string>> = []
      const parked: Array<readonly [Lane<Item, string>, number]> = []
      const last = new Map<string, number>()
      let taken = 0
      let finished = 0
      const finish = (lane: Lane<Item, string>) => {
        const item = lane.items.first!
        if (item.key !== undefined) {
          const key = `${lane.group.owner}/${item.key}`
          assert.isAbove(item.sequence, last.get(key) ?? -1)
          last.set(key, item.sequence)
        }
        finished++
        done(lanes, lane)
      }
      const run = () => {
        const lane = lanes.next()
        if (lane === undefined) return false
        assert.isFalse(lane.group.suspended)
        assert.notInclude(running, lane)
        assert.isFalse(parked.some(([one]) => one === lane))
        running.push(lane)
        return true
      }
      for (const step of steps) {
        switch (step._tag) {
          case "take": {
            const group = groups[step.group]!
            if (lanes.room(group) > 0) add(lanes, group, step.key === undefined ? undefined : `k${step.key}`, taken++)
            break
          }
          case "next":
            run()
            break
          case "finish": {
            const [lane] = running.splice(step.at, 1)
            if (lane !== undefined) finish(lane)
            break
          }
          case "park": {
            const [lane] = running.splice(step.at, 1)
            if (lane !== undefined) parked.push([lane, lanes.park(lane)])
            break
          }
          case "unpark": {
            const [entry] = parked.splice(step.at, 1)
            if (entry !== undefined) assert.isTrue(lanes.unpark(...entry))
            break
          }
          case "suspend":
            lanes.suspend(groups[step.group]!)
            break
          case "resume":
            lanes.resume(groups[step.group]!)
            break
        }
        assert.isAtMost(lanes.total, maxInFlight)
        const inLine = groups.filter((group) => !group.suspended).reduce((sum, group) => sum + group.ready.size, 0)
        assert.strictEqual(lanes.ready, inLine)
        assert.strictEqual(lanes.total, taken - finished)
        for (const group of groups) assert.isAtMost(group.held, Math.max(1, Math.floor(maxInFlight / 3)))
      }
      for (const group of groups) lanes.resume(group)
      for (const entry of parked.splice(0)) lanes.unpark(...entry)
      for (const lane of running.splice(0)) finish(lane)
      while (run()) finish(running.pop()!)
      assert.strictEqual(finished, taken)
      assert.strictEqual(lanes.total, 0)
      // Whoever asked in vain was told.
      for (const group of groups) assert.isTrue(!group.waiting || room.includes(group.owner))
    }))
  })
})
