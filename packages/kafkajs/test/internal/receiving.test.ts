import type { Assembly } from "@weft/protocol/Client"
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

/** Hands over what it was told, and not only the bytes. */
class Joined implements Assembly<string> {
  private text = ""
  private readonly size: number
  constructor(size: number) {
    this.size = size
  }
  take(bytes: Buffer, start: number, end: number): void {
    this.text += bytes.toString("latin1", start, end)
  }
  room(): undefined {}
  wrote(): void {}
  answer(): string {
    return `${this.size}: ${this.text}`
  }
}

const receiver = (named: ReadonlyMap<number, string> = new Map()) => {
  const answers: Array<Answer> = []
  const assembled: Array<unknown> = []
  const theirs: Array<Buffer> = []
  const connection = {
    socket: {} as never,
    authHandlers: null as object | null,
    requestQueue: {
      inflight: new Map([...named].map(([id, apiName]) => [id, { entry: { apiName } }])),
      fulfillRequest: ({ correlationId, payload }: Parameters<Receiver["requestQueue"]["fulfillRequest"]>[0]) => {
        if (Buffer.isBuffer(payload)) answers.push({ correlationId, payload })
        else assembled.push(payload.answer())
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
  receiveInPlace(connection, (name) => name === "joined" ? (size) => new Joined(size) : undefined)
  return { connection, answers, assembled, theirs }
}

describe("receiving", () => {
  it("answers are whole and in order, however the bytes are cut, and none of the reads is kept", () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 6 })
    const cuts = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 })
    fc.assert(fc.property(payloads, cuts, (given, sizes) => {
      const { answers, assembled, connection, theirs } = receiver(new Map([[1, "joined"], [2, "another"]]))
      const all = Buffer.concat(given.map((payload, i) => framed(i, Buffer.from(payload))))
      let at = 0
      for (let i = 0; at < all.length; i++) {
        const chunk = Buffer.from(all.subarray(at, at += sizes[i % sizes.length]!))
        connection.processData(chunk)
        chunk.fill(0)
      }
      const isJoined = (_: unknown, id: number) => id === 1
      assert.deepStrictEqual(
        answers.map(({ payload }) => payload.toString("latin1")),
        given.filter((_, id) => id !== 1).map((payload) => Buffer.from(payload).toString("latin1"))
      )
      assert.deepStrictEqual(
        assembled,
        given.filter(isJoined).map((payload) => `${payload.length}: ${Buffer.from(payload).toString("latin1")}`)
      )
      assert.deepStrictEqual(theirs, [])
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

  it("is kafkajs's also where the first bytes came before it began to authenticate", () => {
    const { answers, connection, theirs } = receiver()
    const bytes = framed(1, Buffer.from("challenge"))
    connection.processData(bytes.subarray(0, 3))
    connection.authHandlers = {}
    connection.processData(bytes.subarray(3))
    assert.deepStrictEqual([answers, Buffer.concat(theirs)], [[], bytes])
  })

  it("a length that nobody would send is left to kafkajs", () => {
    for (const size of [-1, 0, 3, 0x7fffffff]) {
      const { answers, connection, theirs } = receiver()
      const bytes = framed(1, Buffer.from("x"))
      bytes.writeInt32BE(size, 0)
      connection.processData(bytes)
      assert.deepStrictEqual([answers.length, theirs], [0, [bytes]])
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
    Object.assign(connection, { socket: {} })
    connection.processData(framed(3, Buffer.from("whole")))
    assert.strictEqual(answers.at(-1)!.correlationId, 3)
  })
})
