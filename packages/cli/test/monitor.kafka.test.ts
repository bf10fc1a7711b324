/** `weft monitor` as a program of its own, with a Kafka and a database that come late. */
import { PgClient } from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Postgres from "@weft/postgres/Postgres"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Kafka, logLevel } from "kafkajs"
import { type AddressInfo, connect, createServer } from "node:net"
import { setTimeout } from "node:timers/promises"
import { brokers, freshDatabase, freshGroup, freshTopic } from "../../../test-support/servers.ts"
import { begin, run, timeout } from "./support/process.ts"

/** A door on a port of its own. Until it is opened it throws out whoever comes; a port that is not held would be anybody's. */
const makeDoor = async (to: URL) => {
  let isOpen = false
  const server = createServer((client) => {
    client.on("error", () => client.destroy())
    if (!isOpen) return void client.resetAndDestroy()
    const inside = connect(Number(to.port), to.hostname)
    client.pipe(inside).pipe(client)
    client.on("error", () => inside.destroy())
    inside.on("error", () => client.destroy())
    client.on("close", () => inside.destroy())
  })
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    open: () => {
      isOpen = true
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve()))
  }
}

const until = async (what: string, done: () => boolean | Promise<boolean>) => {
  for (let i = 0; i < 1_800; i++) {
    if (await done()) return
    await setTimeout(100)
  }
  assert.fail(`not in time: ${what}`)
}

interface Row {
  readonly service_name: string
  readonly consumer_group_id: string
  readonly member: string | null
  readonly lag: bigint
  readonly consumer_offset: bigint
  readonly lag_seconds: number
}

const rowsOf = (url: string): Promise<ReadonlyArray<Row>> =>
  Effect.runPromise(
    Effect.flatMap(PgClient, (sql) =>
      sql<Row>`
        SELECT service_name, consumer_group_id, member, lag, consumer_offset, lag_seconds
        FROM consumer_lag_history ORDER BY timestamp`).pipe(Effect.provide(Postgres.layerUrl(Redacted.make(url))))
  )

const currentOf = (
  url: string
): Promise<ReadonlyArray<{ readonly service_name: string; readonly total_lag: bigint }>> =>
  Effect.runPromise(
    Effect.flatMap(PgClient, (sql) =>
      sql<{
        readonly service_name: string
        readonly total_lag: bigint
      }>`SELECT service_name, total_lag FROM v_current_consumer_lag`).pipe(
        Effect.provide(Postgres.layerUrl(Redacted.make(url)))
      )
  )

describe("weft monitor on real servers", { timeout: 3 * timeout }, () => {
  it("says who is away and goes on; writes what it kept, under the service's name; ends on SIGTERM", async () => {
    const topic = await freshTopic("monitor")
    const group = freshGroup("monitor")
    const url = await freshDatabase()
    const direct = { DATABASE_URL: url, KAFKA_BROKERS: brokers().join(",") }
    await run(["migrate"], direct)
    const row = await run(["config", "set", "watched", `consumer_group_id=${group}`], direct)
    assert.deepStrictEqual([row.code, row.err], [0, ""])

    const kafka = new Kafka({ brokers: [...brokers()], logLevel: logLevel.NOTHING })
    const producer = kafka.producer()
    await producer.connect()
    const start = Date.now() - 300_000
    await producer.send({
      topic,
      messages: Array.from({ length: 10 }, (_, i) => ({ value: "v", timestamp: String(start + i) }))
    })
    await producer.disconnect()
    const admin = kafka.admin()
    await admin.connect()
    await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: "4" }] })
    await admin.disconnect()

    const kafkaDoor = await makeDoor(new URL(`kafka://${brokers()[0]!}`))
    const databaseDoor = await makeDoor(new URL(url))
    const through = new URL(url)
    through.hostname = "127.0.0.1"
    through.port = String(databaseDoor.port)
    const monitor = begin(["monitor", "--group", group, "--interval", "1s"], {
      DATABASE_URL: through.href,
      KAFKA_BROKERS: `127.0.0.1:${kafkaDoor.port}`
    })
    try {
      await until("it says that Kafka is away", () => monitor.said.err.includes("Kafka is away, it goes on: "))
      assert.include(monitor.said.err, `127.0.0.1:${kafkaDoor.port}`)
      kafkaDoor.open()
      await until("it says that Kafka is back", () => monitor.said.out.includes("Kafka is back"))
      await until("it says that the database is away", () => monitor.said.err.includes("the database is away"))
      // On the other of its two outputs.
      await until("how far", () => new RegExp(`${group}: 6 records and .* behind`).test(monitor.said.out))
      await until("it tells what it means", () => monitor.said.out.includes("stop"))
      assert.isEmpty(await rowsOf(url))

      databaseDoor.open()
      await until("it says that the database is back", () => monitor.said.out.includes("the database is back"))
      // Those that waited: three looks at the least tell that it stopped.
      await until("rows of three looks", async () => (await rowsOf(url)).length >= 3)
      for (const row of await rowsOf(url)) {
        assert.deepInclude(row, {
          service_name: "watched",
          consumer_group_id: group,
          member: "",
          lag: 6n,
          consumer_offset: 4n
        })
        // By admin requests alone it is known within a twentieth; however long all of this took, it is no more than that.
        assert.isAtLeast(row.lag_seconds, 285)
        assert.isAtMost(row.lag_seconds, 1.05 * (Date.now() - start) / 1_000)
      }
      assert.deepStrictEqual(await currentOf(url), [{ service_name: "watched", total_lag: 6n }])
    } finally {
      const { code } = await monitor.stop()
      await Promise.all([kafkaDoor.close(), databaseDoor.close()])
      assert.strictEqual(code, 130)
    }

    const one = await run(["monitor", "--once", "--json", "--group", group], direct)
    assert.deepInclude(JSON.parse(one.out) as object, { group, lag: 6, partitionCount: 1 })
    const byService = await run(["lag", "watched"], direct)
    assert.include(byService.out, `${group}, empty with 0 members, is 6 records`)
    const slip = await run(["lag", "wached"], direct)
    assert.strictEqual(slip.code, 3)
    assert.include(slip.err, "did you mean watched?")
    const away = await run(["lag", "wached"], { ...direct, DATABASE_URL: "postgres://weft:s3cret@127.0.0.1:1/weft" })
    assert.strictEqual(away.code, 4)
    assert.include(away.err, "whether a service is cannot be told: the database is unreachable")
    assert.notInclude(away.err, "s3cret")
    const all = await run(["lag"], { ...direct, DATABASE_URL: "postgres://weft:s3cret@127.0.0.1:1/weft" })
    assert.strictEqual(all.code, 0)
    assert.include(all.out, group)
    assert.include(all.out, "services are not known: the database is unreachable")
  })
})
