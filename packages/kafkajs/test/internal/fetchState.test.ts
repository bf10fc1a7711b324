import { assert, describe, it } from "@effect/vitest"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import { FetchState, type Ticket } from "../../src/internal/fetchState.ts"

const p0 = TopicPartition.make("t", 0)
const p1 = TopicPartition.make("t", 1)
const at = (partition: TopicPartition.TopicPartition, offset: bigint) => ({
  topic: partition.topic,
  partition: partition.partition,
  offset
})

/** Partition 0 on broker 0, partition 1 on broker 1. */
const leaderOf = (_: string, partition: number) => partition

const asked = (state: FetchState, now = 0): ReadonlyArray<readonly [number | undefined, number, bigint]> =>
  [...state.rounds(leaderOf, now).byLeader].flatMap(([leader, { tickets }]) =>
    tickets.map((ticket) => [leader, ticket.partition, ticket.position] as const)
  )

const ticketOf = (state: FetchState, partition: number): Ticket =>
  state.rounds(leaderOf, 0).byLeader.get(partition)!.tickets[0]!

const started = (): FetchState => {
  const state = new FetchState()
  state.assign([p0, p1], 0)
  state.start([at(p0, 5n), at(p1, 6n)])
  return state
}

describe("fetchState", () => {
  it("asks for nothing that was assigned but not started", () => {
    const state = new FetchState()
    state.assign([p0, p1], 0)
    assert.deepStrictEqual(asked(state), [])
    state.start([at(p1, 9n)])
    assert.deepStrictEqual(asked(state), [[1, 1, 9n]])
  })

  it("ignores partitions that are not assigned", () => {
    const state = new FetchState()
    state.assign([p0], 0)
    state.start([at(p1, 9n)])
    state.resume([p1])
    assert.deepStrictEqual(asked(state), [])
  })

  it("goes on after what was fetched", () => {
    const state = started()
    state.advance(ticketOf(state, 0), 8n)
    assert.deepStrictEqual(asked(state), [[0, 0, 8n], [1, 1, 6n]])
  })

  it("an answer from before a seek, a hold or an assignment no longer counts", () => {
    for (
      const change of [
        (state: FetchState) => state.start([at(p0, 1n)]),
        (state: FetchState) => state.hold(),
        (state: FetchState) => state.assign([p0, p1], 0),
        (state: FetchState) => state.clear(),
        (state: FetchState) => state.halt(ticketOf(state, 0))
      ]
    ) {
      const state = started()
      const ticket = ticketOf(state, 0)
      assert.isTrue(state.isCurrent(ticket))
      change(state)
      assert.isFalse(state.isCurrent(ticket))
    }
  })

  it("a second answer for the same position no longer counts, as after a change of leader", () => {
    const state = started()
    const [first, second] = [ticketOf(state, 0), ticketOf(state, 0)]
    state.advance(first, 8n)
    assert.isFalse(state.isCurrent(second))
  })

  it("an answer that was under way when a pause came still counts, once", () => {
    const state = started()
    const ticket = ticketOf(state, 0)
    state.pause([p0], 0)
    assert.isTrue(state.isCurrent(ticket))
    state.advance(ticket, 7n)
    assert.deepStrictEqual(asked(state), [[1, 1, 6n]])
    state.resume([p0])
    assert.deepStrictEqual(asked(state), [[0, 0, 7n], [1, 1, 6n]])
  })

  it("a partition that is kept goes on where it is told, and stays paused if it was", () => {
    const state = started()
    state.pause([p0], 0)
    state.hold()
    state.assign([p0, p1], 0)
    state.keep([at(p0, 5n), at(p1, 6n)])
    assert.deepStrictEqual(asked(state), [[1, 1, 6n]])
    state.resume([p0])
    assert.deepStrictEqual(asked(state), [[0, 0, 5n], [1, 1, 6n]])
  })

  it("a partition that went and came back is not paused any more", () => {
    const state = started()
    state.pause([p0], 0)
    state.assign([p1], 0)
    state.assign([p0], 0)
    state.start([at(p0, 5n)])
    assert.deepStrictEqual(asked(state), [[0, 0, 5n]])
  })

  it("a start ends a pause; a resume starts nothing", () => {
    const state = new FetchState()
    state.assign([p0, p1], 0)
    state.pause([p0, p1], 0)
    state.resume([p0])
    state.start([at(p1, 3n)])
    assert.deepStrictEqual(asked(state), [[1, 1, 3n]])
  })

  it("out of range: nothing more until the next start", () => {
    const state = started()
    state.halt(ticketOf(state, 0))
    state.resume([p0])
    assert.deepStrictEqual(asked(state), [[1, 1, 6n]])
    state.start([at(p0, 0n)])
    assert.deepStrictEqual(asked(state), [[0, 0, 0n], [1, 1, 6n]])
  })

  it("waits out an error of one partition, and says until when", () => {
    const state = started()
    state.backOff(ticketOf(state, 0), 100)
    assert.deepStrictEqual(asked(state, 99), [[1, 1, 6n]])
    assert.strictEqual(state.rounds(leaderOf, 99).wakeAt, 100)
    assert.deepStrictEqual(asked(state, 100), [[0, 0, 5n], [1, 1, 6n]])
  })

  it("partitions without a leader stand apart", () => {
    const state = started()
    const { byLeader } = state.rounds(() => undefined, 0)
    assert.deepStrictEqual([...byLeader.keys()], [undefined])
    assert.strictEqual(byLeader.get(undefined)!.tickets.length, 2)
  })

  it("keeps a broker waiting only briefly while another partition of its may go on at any moment", () => {
    const state = started()
    const brief = (now: number) => state.rounds(() => 0, now).byLeader.get(0)!.brief
    assert.isFalse(brief(0))
    state.pause([p1], 500)
    assert.isTrue(brief(500))
    assert.isTrue(brief(1499))
    assert.isFalse(brief(1500))
  })
})
