import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { receiveInPlace, type Receiver } from "../../src/internal/receiving.ts"

/** An answer with its length before it. */
const framed = (correlationId: number, payload: Buffer): Buffer => {
  const bytes = Buffer.alloc(8 + payload.length)
  bytes.writeInt32BE(4 + payload.length, 0)
  bytes.writeInt32BE(correlationId, 4)
  bytes.set(payload, 8)
  return bytes
}

interface Answer {
  readonly correlationId: number
  readonly payload: Buffer
}

const receiver = () => {
  const answers: Array<Answer> = []
  const theirs: Array<Buffer> = []
  const connection = {
    socket: {} as never,
    authHandlers: null as object | null,
    requestQueue: {
      fulfillRequest: (answer: Answer) => {
        answers.push(answer)
      }
    },
    chunks: [] as ReadonlyArray<Buffer>,
    bytesBuffered: 0,
    bytesNeeded: 4,
    processData(bytes: Buffer) {
      theirs.push(bytes)
      this.chunks = [...this.chunks, bytes]
      this.bytesBuffered += bytes.length
    }
  } satisfies Receiver
  receiveInPlace(connection)
  return { connection, answers, theirs }
}

describe("receiving", () => {
  it("answers are whole and in order, however the bytes are cut, and none of the reads is kept", () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 6 })
    fc.assert(fc.property(payloads, fc.array(fc.integer({ min: 8, max: 90 }), { minLength: 1 }), (given, cuts) => {
      const { answers, connection, theirs } = receiver()
      const all = Buffer.concat(given.map((payload, i) => framed(i, Buffer.from(payload))))
      let at = 0
      for (let i = 0; at < all.length; i++) {
        const chunk = Buffer.from(all.subarray(at, at += cuts[i % cuts.length]!))
        connection.processData(chunk)
        chunk.fill(0)
      }
      // What came in too few bytes to see its length is kafkajs's, and all after it.
      const ours = Buffer.concat(answers.map(({ correlationId, payload }) => framed(correlationId, payload)))
      assert.deepStrictEqual(Buffer.concat([ours, ...theirs]), all)
    }))
  })

  it("each answer has memory of its own", () => {
    const { answers, connection } = receiver()
    connection.processData(framed(1, Buffer.from("first")))
    connection.processData(Buffer.concat([framed(2, Buffer.from("other")), framed(3, Buffer.from("third"))]))
    assert.deepStrictEqual(answers.map(({ payload }) => payload.toString()), ["first", "other", "third"])
    assert.strictEqual(new Set(answers.map(({ payload }) => payload.buffer)).size, 3)
  })

  it("is kafkajs's while it authenticates, with bytes that it may keep", () => {
    const { connection, theirs } = receiver()
    connection.authHandlers = {}
    const bytes = framed(1, Buffer.from("challenge"))
    connection.processData(bytes)
    bytes.fill(0)
    assert.deepStrictEqual(theirs, [framed(1, Buffer.from("challenge"))])
  })

  it("a length that nobody would send is left to kafkajs", () => {
    for (const size of [-1, 0, 3, 0x7fffffff]) {
      const { answers, connection, theirs } = receiver()
      const bytes = framed(1, Buffer.from("x"))
      bytes.writeInt32BE(size, 0)
      connection.processData(bytes)
      assert.deepStrictEqual([answers.length, theirs.length], [0, 1])
    }
  })

  it("half an answer of a connection that broke is no part of the next one's", () => {
    const { answers, connection } = receiver()
    connection.processData(framed(1, Buffer.from("half of it")).subarray(0, 12))
    Object.assign(connection, { socket: {} })
    connection.processData(framed(2, Buffer.from("whole")))
    assert.deepStrictEqual(answers.map(({ correlationId, payload }) => [correlationId, payload.toString()]), [[
      2,
      "whole"
    ]])
    connection.processData(Buffer.from([0, 0, 0]))
    assert.strictEqual(connection.bytesBuffered, 3)
    Object.assign(connection, { socket: {} })
    connection.processData(framed(3, Buffer.from("whole")))
    assert.strictEqual(answers.at(-1)!.correlationId, 3)
  })
})
