import { assert, describe, it } from "@effect/vitest"
import { CorruptRecordBatchError, UnsupportedRecordBatchError } from "../src/KafkaError.ts"
import type { Decoded } from "../src/RecordBatch.ts"
import * as RecordBatchDecoder from "../src/RecordBatchDecoder.ts"
import { compressLz4, compressSnappy } from "./codecs.ts"
import { decode, plain } from "./decoded.ts"
import { batch, encode, encodeBatch, encodeRecord, marker, record, varint, withCrc } from "./recordBatches.ts"

const offsets = (decoded: Decoded): ReadonlyArray<number> => plain(decoded.batches).map(({ offset }) => Number(offset))

const three = (base: bigint, over: Parameters<typeof batch>[2] = {}) =>
  batch(base, [record(0), record(1), record(2)], over)

const assertCorrupt = (decoded: Decoded, offset: bigint, reason: RegExp): void => {
  const { stop } = decoded
  assert(stop?._tag === "Corrupt", `it ended with ${stop?._tag}`)
  const { error } = stop
  assert.instanceOf(error, CorruptRecordBatchError)
  assert.deepStrictEqual([error.topic, error.partition, error.offset], ["orders", 7, offset])
  assert.match(error.reason, reason)
}

describe("RecordBatchDecoder", () => {
  it("reads each part of a record", () => {
    const { batches, nextOffset, stop } = decode(encode([
      batch(40n, [
        record(0, { key: Buffer.from("k"), value: Buffer.from("v"), timestampDelta: -5n }),
        record(2, {
          key: Buffer.alloc(0),
          value: null,
          timestampDelta: 300_000n,
          headers: [
            { name: "é", value: Buffer.from("1") },
            { name: "10", value: null },
            { name: "2", value: Buffer.alloc(0) },
            { name: "é", value: Buffer.from("2") }
          ]
        })
      ])
    ]))
    assert.deepStrictEqual([stop, nextOffset, batches.length], [undefined, 43n, 1])
    const [only] = batches
    assert.deepStrictEqual([only!.topic, only!.partition, only!.leaderEpoch, only!.highWatermark], [
      "orders",
      7,
      3,
      1_000_000n
    ])
    assert.strictEqual(only!.timestampType(0), "CreateTime")
    assert.deepStrictEqual(plain(batches), [
      { offset: 40n, timestamp: 1_699_999_999_995, key: "6b", value: "76", headers: [] },
      {
        offset: 42n,
        timestamp: 1_700_000_300_000,
        key: "",
        value: null,
        headers: [["é", "31"], ["10", null], ["2", ""], ["é", "32"]]
      }
    ])
  })

  it("a batch whose times the broker set has one time for all", () => {
    const { batches } = decode(encode([
      batch(0n, [record(0, { timestampDelta: 3n }), record(1, { timestampDelta: 9n })], { isLogAppendTime: true })
    ]))
    assert.deepStrictEqual(plain(batches).map(({ timestamp }) => timestamp), [1_700_000_001_000, 1_700_000_001_000])
    assert.strictEqual(batches[0]!.timestampType(1), "LogAppendTime")
  })

  it("records without a time have -1", () => {
    const { batches } = decode(encode([three(0n, { baseTimestamp: -1n, maxTimestamp: -1n })]))
    assert.deepStrictEqual(plain(batches).map(({ timestamp }) => timestamp), [-1, -1, -1])
  })

  it("leaves out what is below the offset that was asked for", () => {
    for (const compression of ["none", "gzip"] as const) {
      const decoded = decode(encode([three(10n, { compression }), three(13n, { compression })]), { fetchOffset: 12n })
      assert.deepStrictEqual(offsets(decoded), [12, 13, 14, 15])
      assert.strictEqual(decoded.nextOffset, 16n)
    }
  })

  it("a batch that lies wholly below it is passed over", () => {
    const decoded = decode(encode([three(10n), three(13n)]), { fetchOffset: 13n })
    assert.deepStrictEqual(offsets(decoded), [13, 14, 15])
  })

  it("a batch that was cut off at the end is left for the next fetch", () => {
    const whole = encode([three(0n), three(3n)])
    const first = encode([three(0n)]).length
    for (let length = first; length < whole.length; length++) {
      const decoded = decode(whole.subarray(0, length))
      assert.deepStrictEqual([offsets(decoded), decoded.nextOffset, decoded.stop], [[0, 1, 2], 3n, undefined])
    }
  })

  it("a first batch that was cut off says how many bytes would bring it", () => {
    const whole = encode([three(5n)])
    const decoded = decode(whole.subarray(0, whole.length - 1), { fetchOffset: 5n })
    assert.deepStrictEqual(decoded, { batches: [], nextOffset: 5n, stop: { _tag: "Incomplete", bytes: whole.length } })
    const short = decode(whole.subarray(0, 10), { fetchOffset: 5n })
    assert.deepStrictEqual(short.stop, { _tag: "Incomplete", bytes: 61 })
  })

  it("no bytes are no records", () => {
    assert.deepStrictEqual(decode(Buffer.alloc(0), { fetchOffset: 9n }), {
      batches: [],
      nextOffset: 9n,
      stop: undefined
    })
  })

  it("control records are no records, but the next offset goes beyond them", () => {
    const decoded = decode(encode([three(0n), marker(3n, 9n, "commit"), three(4n), marker(7n, 9n, "abort")]))
    assert.deepStrictEqual(offsets(decoded), [0, 1, 2, 4, 5, 6])
    assert.deepStrictEqual([decoded.nextOffset, decoded.batches.at(-1)!.nextOffset], [8n, 8n])
  })

  it("where nothing but control records came there is a batch without records", () => {
    const { batches, nextOffset } = decode(encode([marker(5n, 9n, "commit")]), { fetchOffset: 5n })
    assert.deepStrictEqual(batches.map((one) => [one.count, one.nextOffset, one.byteLength]), [[0, 6n, 0]])
    assert.strictEqual(nextOffset, 6n)
  })

  it("aborted records are left out where committed ones are read", () => {
    const mine = { producerId: 9n, isTransactional: true }
    const log = encode([
      three(0n),
      three(3n, mine),
      three(6n, { producerId: 8n, isTransactional: true }),
      marker(9n, 9n, "abort"),
      // The same producer's next transaction, and one of its records outside of any.
      three(10n, mine),
      marker(13n, 9n, "commit"),
      marker(14n, 8n, "commit")
    ])
    const abortedTransactions = [{ producerId: 9n, firstOffset: 3n }]
    assert.deepStrictEqual(offsets(decode(log, { abortedTransactions })), [0, 1, 2, 6, 7, 8, 10, 11, 12])
    assert.deepStrictEqual(
      offsets(decode(log, { abortedTransactions }, { isolationLevel: "read_uncommitted" })),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12]
    )
    assert.deepStrictEqual(offsets(decode(log)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12])
  })

  it("a producer that aborts twice is out both times", () => {
    const mine = { producerId: 9n, isTransactional: true }
    const log = encode([
      three(0n, mine),
      marker(3n, 9n, "abort"),
      three(4n, mine),
      marker(7n, 9n, "commit"),
      three(8n, mine),
      marker(11n, 9n, "abort")
    ])
    // The broker's list is in the order in which the transactions ended.
    const abortedTransactions = [{ producerId: 9n, firstOffset: 8n }, { producerId: 9n, firstOffset: 0n }]
    const decoded = decode(log, { abortedTransactions })
    assert.deepStrictEqual([offsets(decoded), decoded.nextOffset], [[4, 5, 6], 12n])
  })

  it("an abort marker below the offset that was asked for counts", () => {
    const mine = { producerId: 9n, isTransactional: true }
    const log = encode([three(0n, mine), marker(3n, 9n, "abort"), three(4n, mine)])
    const decoded = decode(log, { fetchOffset: 4n, abortedTransactions: [{ producerId: 9n, firstOffset: 0n }] })
    assert.deepStrictEqual(offsets(decoded), [4, 5, 6])
  })

  it("a transaction that is aborted to the end of the answer moves the next offset", () => {
    const { batches, nextOffset } = decode(encode([three(0n, { producerId: 9n, isTransactional: true })]), {
      abortedTransactions: [{ producerId: 9n, firstOffset: 0n }]
    })
    assert.deepStrictEqual([batches.map(({ count }) => count), nextOffset], [[0], 3n])
  })

  it("what compaction took away leaves gaps, also at both ends of a batch", () => {
    const decoded = decode(encode([
      batch(10n, [record(2), record(5)], { lastOffsetDelta: 9 }),
      batch(20n, [], { lastOffsetDelta: 4 }),
      batch(30n, [record(0)], { lastOffsetDelta: 3 })
    ]))
    assert.deepStrictEqual([offsets(decoded), decoded.nextOffset], [[12, 15, 30], 34n])
  })

  it("batches that follow each other are one, unless another leader wrote them or their times are of another kind", () => {
    const counts = (log: Buffer) => decode(log).batches.map(({ count, nextOffset }) => [count, Number(nextOffset)])
    assert.deepStrictEqual(counts(encode([three(0n), three(3n), three(6n)])), [[9, 9]])
    assert.deepStrictEqual(counts(encode([three(0n), three(3n, { leaderEpoch: 4 })])), [[3, 3], [3, 6]])
    assert.deepStrictEqual(
      counts(encode([three(0n), marker(3n, 1n, "commit"), three(4n, { isLogAppendTime: true })])),
      [
        [3, 4],
        [3, 7]
      ]
    )
    assert.deepStrictEqual(counts(encode([three(0n), three(3n, { compression: "gzip" }), three(6n)])), [
      [3, 3],
      [3, 6],
      [
        3,
        9
      ]
    ])
    const far = 1n << 40n
    assert.deepStrictEqual(plain(decode(encode([three(0n), three(far)])).batches).map(({ offset }) => offset), [
      0n,
      1n,
      2n,
      far,
      far + 1n,
      far + 2n
    ])
  })

  it("small compressed batches are gathered, large ones are not", () => {
    const small = [0n, 3n, 6n].map((at) => three(at, { compression: "gzip" }))
    assert.deepStrictEqual(decode(encode([...small, marker(9n, 1n, "commit")])).batches.map(({ count }) => count), [9])
    const large = [0n, 1n, 2n].map((at) =>
      batch(at, [record(0, { value: Buffer.alloc(100_000, "x") })], { compression: "gzip" })
    )
    const { batches } = decode(encode(large))
    assert.deepStrictEqual(batches.map(({ count, nextOffset }) => [count, nextOffset]), [[1, 1n], [1, 2n], [1, 3n]])
    assert.deepStrictEqual(
      plain(decode(encode([...small, three(9n)])).batches).map(({ offset, value }) => [offset, value]),
      [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        11
      ].map((at) => [BigInt(at), `763${at % 3}`])
    )
  })

  it("in pieces, a batch is decompressed when it is asked for", () => {
    let decompressed = 0
    const decoder = RecordBatchDecoder.make({
      isolationLevel: "read_committed",
      decompressors: {
        gzip: (bytes, maxBytes) => {
          decompressed++
          return RecordBatchDecoder.nodeDecompressors.gzip!(bytes, maxBytes)
        }
      }
    })
    const mine = { producerId: 9n, isTransactional: true, compression: "gzip" } as const
    const large = (at: bigint, over: object = {}) =>
      batch(at, [record(0, { value: Buffer.alloc(100_000, "x") })], { compression: "gzip", ...over })
    const decoding = decoder.open({
      topic: "orders",
      partition: 7,
      fetchOffset: 0n,
      highWatermark: 9n,
      // The first transaction was aborted, the second was not, however late it is decoded.
      abortedTransactions: [{ producerId: 9n, firstOffset: 0n }],
      records: encode([large(0n, mine), marker(1n, 9n, "abort"), large(2n), large(3n, mine), large(4n)])
    })
    const seen = []
    for (let next = decoding.next(); next !== undefined; next = decoding.next()) {
      seen.push([next.offset(0), next.nextOffset, decoding.nextOffset, decompressed, decoding.isDone])
      decoding.detach()
    }
    assert.deepStrictEqual(seen, [[2n, 3n, 3n, 1, false], [3n, 4n, 4n, 2, false], [4n, 5n, 5n, 3, true]])
    assert.strictEqual(decoding.stop, undefined)
  })

  it("what is left of an answer keeps it alive only where it is most of it", () => {
    const of = (size: number) => [record(0, { value: Buffer.alloc(size) })]
    const leftOf = (sizes: readonly [number, number]) => {
      const records = encode(sizes.map((size, i) => batch(BigInt(i), of(size), { leaderEpoch: i })))
      const whole = Buffer.allocUnsafeSlow(records.length)
      records.copy(whole)
      const decoding = RecordBatchDecoder.make({ isolationLevel: "read_committed" }).open({
        topic: "orders",
        partition: 7,
        fetchOffset: 0n,
        highWatermark: 9n,
        records: whole
      })
      decoding.next()
      decoding.detach()
      return decoding.next()!.value(0)!.buffer.buffer === whole.buffer
    }
    assert.deepStrictEqual([leftOf([10, 1000]), leftOf([1000, 10])], [true, false])
  })

  it("each record of a merged batch has the times of its own", () => {
    const { batches } = decode(encode([1n, 2n, 3n, 4n, 5n].map((at) => three(at * 10n, { baseTimestamp: at }))))
    assert.strictEqual(batches.length, 1)
    assert.deepStrictEqual(
      plain(batches).map(({ timestamp }) => timestamp),
      [1, 2, 3, 4, 5].flatMap((at) => [at, at, at])
    )
  })

  it("a leader epoch of -1 is none", () => {
    assert.strictEqual(decode(encode([three(0n, { leaderEpoch: -1 })])).batches[0]!.leaderEpoch, undefined)
  })

  it("counts what was cut off at the end, which stays in memory with the rest, unless it is copied", () => {
    const log = encode([three(0n), three(3n)])
    const heldOf = (records: Buffer, copy: boolean) =>
      RecordBatchDecoder.make({ isolationLevel: "read_committed" }).decode({
        topic: "orders",
        partition: 7,
        fetchOffset: 0n,
        highWatermark: 9n,
        records,
        copy
      }).batches
        .reduce((sum, { byteLength }) => sum + byteLength, 0)
    const first = log.subarray(0, log.length / 2)
    const cut = log.subarray(0, log.length / 2 + 70)
    assert.deepStrictEqual([heldOf(cut, false), heldOf(cut, true)], [heldOf(first, false) + 70, heldOf(first, true)])
  })

  it("counts the bytes that it keeps in memory", () => {
    const log = encode([three(0n), three(3n)])
    const [kept] = decode(log).batches
    assert.isAtLeast(kept!.byteLength, log.length - 61)
    assert.strictEqual(kept!.value(0)!.buffer.buffer, log.buffer)
    const [own] = decode(log, { copy: true }).batches
    const range = own!.value(5)!
    assert.notStrictEqual(range.buffer.buffer, log.buffer)
    assert.strictEqual(range.buffer.buffer.byteLength, range.buffer.length)
    assert.strictEqual(Buffer.from(range.buffer).toString("utf8", range.start, range.end), "v2")
  })

  it("decompresses what Node and the libraries can", () => {
    for (const compression of ["gzip", "snappy", "lz4", "zstd"] as const) {
      assert.deepStrictEqual(offsets(decode(encode([three(0n, { compression }), three(3n, { compression })]))), [
        0,
        1,
        2,
        3,
        4,
        5
      ], compression)
    }
  })

  it("snappy may come in the blocks of the Java client", () => {
    const records = Buffer.concat([record(0), record(1), record(2)].map(encodeRecord))
    const block = (bytes: Buffer): Buffer => {
      const compressed = compressSnappy(bytes)
      const size = Buffer.alloc(4)
      size.writeInt32BE(compressed.length)
      return Buffer.concat([size, compressed])
    }
    const head = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
    const stream = Buffer.concat([head, block(records.subarray(0, 5)), block(records.subarray(5))])
    assert.deepStrictEqual(offsets(decode(encodeBatch(three(0n, { compression: "snappy" }), stream))), [0, 1, 2])
    const cut = encodeBatch(three(0n, { compression: "snappy" }), stream.subarray(0, -1))
    assertCorrupt(decode(cut), 0n, /snappy cannot be decompressed: a snappy stream ends within a block/)
  })

  it("says which compression it has nothing for", () => {
    const log = encode([three(0n), three(3n, { compression: "lz4" })])
    const { batches, nextOffset, stop } = decode(log, {}, { decompressors: RecordBatchDecoder.nodeDecompressors })
    assert.deepStrictEqual([batches.map(({ count }) => count), nextOffset], [[3], 3n])
    assert(stop?._tag === "Unsupported")
    assert.deepStrictEqual(
      stop.error,
      new UnsupportedRecordBatchError({ topic: "orders", partition: 7, offset: 3n, compression: "lz4" })
    )
    const unknown = encodeBatch(three(0n))
    unknown.writeInt16BE(6, 21)
    assert.strictEqual(decode(withCrc(unknown)).stop?._tag, "Unsupported")
  })

  it("does not decompress more than it may", () => {
    const large = Buffer.alloc(4_000_000)
    for (const compression of ["gzip", "snappy", "lz4", "zstd"] as const) {
      const log = encode([batch(0n, [record(0, { value: large })], { compression })])
      assert.strictEqual(offsets(decode(log)).length, 1, compression)
      assertCorrupt(decode(log, {}, { maxDecompressedBytes: 1_000_000 }), 0n, /cannot be decompressed/)
    }
  })

  it("does not believe a block of snappy that promises the impossible", () => {
    const compressed = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(20)])
    const log = encodeBatch(three(0n, { compression: "snappy" }), compressed)
    assertCorrupt(decode(log), 0n, /a snappy block of 24 bytes cannot become 268435455/)
    assertCorrupt(
      decode(encodeBatch(three(0n, { compression: "lz4" }), compressLz4(Buffer.alloc(9)).subarray(1))),
      0n,
      /lz4/
    )
  })

  it("a damaged byte is seen by the checksum, unless that is not asked for", () => {
    const log = encode([three(0n), three(3n)])
    const damaged = Buffer.from(log)
    const lastValue = damaged.lastIndexOf("v2")
    damaged[lastValue + 1] = 0x33
    const decoded = decode(damaged)
    assert.deepStrictEqual(offsets(decoded), [0, 1, 2])
    assertCorrupt(decoded, 3n, /its checksum is \d+, and should be \d+/)
    assert.deepStrictEqual(offsets(decode(damaged, {}, { checkCrcs: false })), [0, 1, 2, 3, 4, 5])
  })

  it("what is corrupt hands out nothing, and what came before it is handed out", () => {
    const cases: ReadonlyArray<readonly [(bytes: Buffer) => unknown, RegExp]> = [
      [(bytes) => bytes.writeInt8(7, 16), /its magic byte is 7/],
      [(bytes) => bytes.writeInt32BE(48, 8), /it has a length of 48 bytes/],
      [(bytes) => bytes.writeInt32BE(-1, 8), /it has a length of -1 bytes/],
      [(bytes) => bytes.writeInt32BE(-5, 23), /it goes from offset 3 to -5 beyond that/],
      [(bytes) => bytes.writeBigInt64BE(-1n, 0), /it goes from offset -1/],
      [(bytes) => bytes.writeInt32BE(-1, 57), /it has -1 records/],
      [(bytes) => bytes.writeInt32BE(2_000_000_000, 57), /2000000000 records in \d+ bytes/],
      [(bytes) => bytes.writeInt32BE(4, 57), /4 records in 27 bytes/],
      [(bytes) => bytes.writeInt32BE(2, 57), /9 bytes follow the last of 2 records/],
      [(bytes) => bytes.writeInt32BE(1, 23), /the offset delta 2 after 1, of 1/],
      [(bytes) => bytes[61] = 127, /record 0 of 3 has a length of -64 bytes/],
      [(bytes) => bytes[61] = 126, /record 0 of 3 has a length of 63 bytes/],
      [(bytes) => bytes[61] = 18, /record 0 of 3 has parts that do not fit its length of 9 bytes/],
      [(bytes) => bytes[64] = 2, /record 1 of 3 has the offset delta 1 after 1, of 2/]
    ]
    for (const [damage, reason] of cases) {
      const second = encodeBatch(three(3n))
      damage(second)
      const decoded = decode(Buffer.concat([encodeBatch(three(0n)), withCrc(second), encodeBatch(three(6n))]))
      assert.deepStrictEqual(offsets(decoded), [0, 1, 2], String(reason))
      assertCorrupt(decoded, 3n, reason)
    }
  })

  it("lengths inside a record cannot lead out of it", () => {
    const body = (...parts: ReadonlyArray<Uint8Array>): Buffer => {
      const bytes = Buffer.concat([Buffer.from([0]), ...parts])
      return Buffer.concat([varint(bytes.length), bytes])
    }
    const [zero, none] = [varint(0), varint(-1)]
    const huge = varint(2 ** 31 - 1)
    const endless = Buffer.alloc(12, 0xff)
    const hostile: ReadonlyArray<Buffer> = [
      body(zero, zero, huge, none, zero),
      body(zero, zero, none, huge, zero),
      body(zero, zero, none, none, huge),
      body(zero, zero, none, none, varint(-1)),
      body(zero, zero, none, none, varint(1), huge, huge),
      body(zero, zero, none, none, varint(1), none, none),
      body(zero, zero, none, none, varint(3), varint(0), varint(-1), varint(0)),
      body(endless, zero, none, none, zero),
      body(zero, endless, none, none, zero),
      body(zero, zero, endless, none, zero),
      body(zero, zero, none, endless, zero)
    ]
    for (const bytes of hostile) {
      const decoded = decode(encodeBatch(batch(5n, [record(0)]), bytes))
      assertCorrupt(decoded, 0n, /record 0 of 1|records in/)
    }
  })

  it("an offset delta of 64 bits is none, a timestamp delta of 64 bits is one", () => {
    const wide = encodeBatch(batch(0n, [record(0, { timestampDelta: 2n ** 50n })], { baseTimestamp: 0n }))
    assert.deepStrictEqual(plain(decode(wide).batches).map(({ timestamp }) => timestamp), [2 ** 50])
    assert.deepStrictEqual(
      plain(decode(encodeBatch(batch(0n, [record(0, { timestampDelta: -(2n ** 63n) })]))).batches).length,
      1
    )
    const bytes = Buffer.concat([Buffer.from([0]), varint(0), varint(2n ** 40n), varint(-1), varint(-1), varint(0)])
    assertCorrupt(
      decode(encodeBatch(batch(0n, [record(0)]), Buffer.concat([varint(bytes.length), bytes]))),
      0n,
      /parts that do not fit/
    )
  })

  it("message formats before version 2 are left to the client's own decoder", () => {
    for (const magic of [0, 1] as const) {
      const old = Buffer.alloc(40)
      old.writeBigInt64BE(3n, 0)
      old.writeInt32BE(28, 8)
      old.writeInt8(magic, 16)
      const first = encodeBatch(three(0n))
      const decoded = decode(Buffer.concat([first, old]))
      assert.deepStrictEqual(offsets(decoded), [0, 1, 2])
      assert.deepStrictEqual(decoded.stop, { _tag: "MessageSet", magic, start: first.length })
    }
  })

  it("one decoder decodes many answers, also after a corrupt one", () => {
    const decoder = RecordBatchDecoder.make({ isolationLevel: "read_committed" })
    const response = { topic: "orders", partition: 7, fetchOffset: 0n, highWatermark: 9n }
    const broken = encodeBatch(three(3n))
    broken[64] = 2
    const logs = [
      encode([three(0n)]),
      Buffer.concat([encode([three(0n)]), withCrc(broken)]),
      withCrc(Buffer.from(broken))
    ]
    const kept = [...logs, ...logs].map((records) => decoder.decode({ ...response, records }).batches)
    assert.deepStrictEqual(kept.map((batches) => plain(batches).map(({ value }) => value)), [
      ["7630", "7631", "7632"],
      ["7630", "7631", "7632"],
      [],
      ["7630", "7631", "7632"],
      ["7630", "7631", "7632"],
      []
    ])
  })
})
