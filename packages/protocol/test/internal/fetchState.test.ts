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

const decoding = () => ({
  isDetached: false,
  next: () => undefined,
  nextOffset: 8n,
  stop: undefined,
  isDone: false,
  detach() {
    this.isDetached = true
  }
})

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
    assert.deepStrictEqual(asked(state), [[1, 1, 6n], [0, 0, 8n]])
  })

  it("whoever got something is asked for last, as brokers fill an answer in the order of the request", () => {
    const state = started()
    const first = () => asked(state)[0]![1]
    const seen = [first()]
    for (let i = 0; i < 4; i++) {
      state.advance(ticketOf(state, first()), BigInt(20 + i))
      seen.push(first())
    }
    assert.deepStrictEqual(seen, [0, 1, 0, 1, 0])
  })

  it("what is left of an answer waits for the end of the pause, and nothing is fetched before it was taken", () => {
    const state = started()
    const ticket = state.advance(ticketOf(state, 0), 8n)
    state.pause([p0], 0)
    const rest = decoding()
    state.keepRest(ticket, rest)
    assert.isTrue(rest.isDetached)
    assert.deepStrictEqual(state.leftovers(), [])
    state.resume([p0])
    assert.deepStrictEqual(asked(state), [[1, 1, 6n]])
    assert.deepStrictEqual(state.leftovers(), [{ ticket, decoding: rest }])
    assert.deepStrictEqual(state.leftovers(), [])
    assert.deepStrictEqual(asked(state), [[1, 1, 6n], [0, 0, 8n]])
  })

  it("what is left of an answer is of no use after a seek or a new assignment", () => {
    for (
      const change of [
        (state: FetchState) => state.start([at(p0, 1n)]),
        (state: FetchState) => {
          state.assign([p0, p1], 0)
          state.keep([at(p0, 8n)])
          state.resume([p0])
        },
        (state: FetchState) => {
          state.hold()
          state.start([at(p0, 8n)])
        }
      ]
    ) {
      const state = started()
      const ticket = state.advance(ticketOf(state, 0), 8n)
      state.pause([p0], 0)
      state.keepRest(ticket, decoding())
      change(state)
      assert.deepStrictEqual(state.leftovers(), [])
      assert.strictEqual(asked(state).find(([leader]) => leader === 0)?.[1], 0)
    }
  })

  it("asks for as many bytes as the next record batch has, once that is known", () => {
    const state = started()
    const ticket = ticketOf(state, 0)
    state.needs(ticket, 5_000_000)
    assert.strictEqual(ticketOf(state, 0).neededBytes, 5_000_000)
    state.advance(ticketOf(state, 0), 8n)
    assert.strictEqual(ticketOf(state, 0).neededBytes, 0)
  })

  it("is wanted while nobody has paused it or sought elsewhere", () => {
    const state = started()
    const ticket = ticketOf(state, 0)
    assert.isTrue(state.isWanted(ticket))
    assert.isFalse(state.isWanted({ ...ticket, position: 7n }))
    state.pause([p0], 0)
    assert.isFalse(state.isWanted(ticket))
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
    assert.deepStrictEqual(asked(state), [[1, 1, 6n], [0, 0, 7n]])
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

  it("asks a broker for no more partitions than it is to be asked for, and says that there are others", () => {
    const state = started()
    const asked = (most: number) => {
      const round = state.rounds(() => 7, 0, () => most).byLeader.get(7)!
      return [round.tickets.map(({ partition }) => partition), round.isPart]
    }
    assert.deepStrictEqual(asked(2), [[0, 1], false])
    assert.deepStrictEqual(asked(1), [[0], true])
    state.advance(state.rounds(() => 7, 0).byLeader.get(7)!.tickets[0]!, 8n)
    assert.deepStrictEqual(asked(1), [[1], true])
    state.pause([p0], 0)
    assert.deepStrictEqual(asked(1), [[1], false])
  })

  it("a partition that stays goes on undisturbed: what is under way for it still counts", () => {
    const state = started()
    const [first, second] = [ticketOf(state, 0), ticketOf(state, 1)]
    state.reassign([p0], 0, () => [at(p0, 5n)])
    assert.deepStrictEqual([state.isCurrent(first), state.isCurrent(second)], [true, false])
    assert.deepStrictEqual(asked(state), [[0, 0, 5n]])
  })

  it("one that stays and is not answered waits for its start, and one that is answered elsewhere goes on from there", () => {
    const state = started()
    const tickets = [ticketOf(state, 0), ticketOf(state, 1)]
    state.reassign([p0, p1], 0, () => [at(p1, 9n)])
    assert.deepStrictEqual(tickets.map((ticket) => state.isCurrent(ticket)), [false, false])
    assert.deepStrictEqual(asked(state), [[1, 1, 9n]])
  })

  it("one that is held back alone leaves the others alone", () => {
    const state = started()
    const tickets = [ticketOf(state, 0), ticketOf(state, 1)]
    state.hold([p1])
    assert.deepStrictEqual(tickets.map((ticket) => state.isCurrent(ticket)), [true, false])
    assert.deepStrictEqual(asked(state), [[0, 0, 5n]])
  })
})
