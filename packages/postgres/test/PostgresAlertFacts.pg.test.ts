import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import { AlertFacts, type Facts } from "@weft/pipeline/AlertFacts"
import * as PostgresAlertFacts from "@weft/postgres/PostgresAlertFacts"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { migrated, pool } from "./support/database.ts"

const facts = Layer.provideMerge(PostgresAlertFacts.layer, migrated)

const look = Effect.flatMap(AlertFacts, ({ look }) => look)

/** Lag samples of a partition, every ten seconds until `agoSeconds` ago. */
const samples = Effect.fnUntraced(function*(options: {
  readonly service?: string
  readonly member?: string | null
  readonly partition?: number
  readonly count: number
  readonly agoSeconds?: number
  readonly offset: (i: number) => number
  readonly end: (i: number) => number
}) {
  const sql = yield* PgClient.PgClient
  const { agoSeconds = 0, count, end, member = "m", offset, partition = 0, service = "s" } = options
  for (let i = 0; i < count; i++) {
    yield* sql`
      INSERT INTO consumer_lag_history
        (service_name, consumer_group_id, topic, partition, member, lag, consumer_offset, end_offset, lag_seconds, timestamp)
      VALUES (
        ${service}, 'g', 't', ${partition}, ${member}, ${end(i) - offset(i)}, ${offset(i)}, ${end(i)}, 7.5,
        now() - make_interval(secs => ${agoSeconds + (count - 1 - i) * 10}::double precision)
      )`
  }
})

const serviceOf = ({ services }: Facts, name: string) => services.find(({ service }) => service === name)

describe("PostgresAlertFacts", () => {
  it.live("an empty database has no facts", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* look, { partitions: [], services: [], thresholds: new Map() })
    }).pipe(Effect.provide(facts)))

  it.live("tells each partition's lag and what it means, and learns at each look what is new", () =>
    Effect.gen(function*() {
      yield* samples({ count: 5, agoSeconds: 20, offset: () => 5, end: () => 100 })
      yield* samples({ partition: 1, count: 5, agoSeconds: 20, offset: (i) => i, end: (i) => 100 + 50 * i })
      yield* samples({ partition: 2, member: "", count: 12, agoSeconds: 20, offset: () => 5, end: () => 9 })
      yield* samples({ partition: 3, member: null, count: 2, agoSeconds: 20, offset: () => 9, end: () => 9 })
      const found = (yield* look).partitions
      assert.deepStrictEqual(
        found.map(({ lag, lagSeconds, offset, partition, status }) => [partition, offset, lag, lagSeconds, status])
          .sort((a, b) => Number(a[0]) - Number(b[0])),
        [[0, 5n, 95, 7.5, "stall"], [1, 4n, 296, 7.5, "slow"], [2, 5n, 4, 7.5, "stall"], [3, 9n, 0, 7.5, "ok"]]
      )
      yield* samples({ count: 1, offset: () => 100, end: () => 100 })
      const then = (yield* look).partitions.find(({ partition }) => partition === 0)
      assert.deepInclude(then, { lag: 0, offset: 100n, status: "ok" })
      assert.isAbove(then!.at, found.find(({ partition }) => partition === 0)!.at)
    }).pipe(Effect.provide(facts)))

  it.live("sums outcomes, and what members went through; a member that holds a record all the while is stuck", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql`
        INSERT INTO consumer_processing_metrics (service_name, topic, member, messages_processed, failures, dead_letters, timestamp)
        VALUES
          ('s', 't', 'a', 100, 5, 1, now() - INTERVAL '1 minute'), ('s', 'u', 'a', 50, 0, 2, now() - INTERVAL '2 minutes'),
          ('s', 't', 'a', 1000, 1000, 1000, now() - INTERVAL '6 minutes'), ('quiet', 't', 'q', 1, NULL, NULL, now())`
      yield* sql`
        INSERT INTO consumer_member_metrics
          (service_name, consumer_group_id, member, crashes, commit_failures, rebalances, oldest_in_flight_ms, timestamp)
        VALUES
          ('s', 'g', 'a', 1, 1, 2, 0, now() - INTERVAL '14 minutes'), ('s', 'g', 'a', 1, 0, 2, 60000, now()),
          ('s', 'g', 'b', 2, 0, 1, 0, now() - INTERVAL '3 minutes'), ('s', 'g', 'b', 9, 9, 9, 0, now() - INTERVAL '16 minutes')`
      yield* samples({ member: "a", count: 5, offset: () => 5, end: () => 100 })
      yield* samples({ member: "b", partition: 1, count: 5, offset: () => 5, end: () => 100 })
      const found = yield* look
      assert.deepInclude(serviceOf(found, "s"), {
        processed: 150,
        failures: 5,
        deadLetters: 3,
        crashes: 4,
        commitFailures: 1,
        rebalances: 4,
        members: 1,
        hasLeft: false,
        maxPollIntervalMs: 300_000
      })
      assert.deepInclude(serviceOf(found, "quiet"), { processed: 1, failures: 0, members: undefined })
      assert.deepStrictEqual(
        new Map(found.partitions.map(({ partition, status }) => [partition, status])),
        new Map([[0, "stuck"], [1, "stall"]])
      )
    }).pipe(Effect.provide(facts)))

  it.live("knows who reports, who has left, and for how long a service may make no progress", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      const configurationOf = (value: number) =>
        sql.json({ settings: { max_poll_interval_ms: { value, source: "row" } } })
      const configuration = configurationOf(60_000)
      yield* sql`
        INSERT INTO consumer_applied_configs
          (service_name, member, consumer_group_id, profile, configuration, applied_at, last_seen, left_at)
        VALUES
          ('runs', 'a', 'g', 'default', ${configuration}, now(), now() - INTERVAL '20 seconds', NULL),
          ('runs', 'old', 'g', 'default', ${configurationOf(86_400_000)}, now(), now() - INTERVAL '1 hour', NULL),
          ('gone', 'a', 'g', 'default', ${configuration}, now(), now() - INTERVAL '10 minutes', NULL),
          ('left', 'crashed', 'g', 'default', ${configuration}, now(), now() - INTERVAL '1 day', NULL),
          ('left', 'a', 'g', 'default', ${configuration}, now(), now() - INTERVAL '10 minutes', now()),
          ('odd', 'a', 'g', 'default', '{"settings": 5}', now(), now(), NULL)`
      yield* sql`INSERT INTO consumer_member_metrics (service_name, member, timestamp)
        VALUES ('measured', 'm', now() - INTERVAL '5 hours'), ('long-gone', 'm', now() - INTERVAL '30 hours')`
      const found = yield* look
      const of = (name: string) => {
        const { hasLeft, maxPollIntervalMs, members } = serviceOf(found, name)!
        return [members, hasLeft, maxPollIntervalMs]
      }
      assert.deepStrictEqual(of("runs"), [1, false, 60_000])
      assert.deepStrictEqual(of("gone"), [0, false, 60_000])
      assert.deepStrictEqual(of("left").slice(0, 2), [0, true])
      assert.deepStrictEqual(of("odd"), [1, false, 300_000])
      assert.deepStrictEqual(of("measured"), [0, false, 300_000])
      assert.isUndefined(serviceOf(found, "long-gone"))
      const { at, memberSeenAt } = serviceOf(found, "gone")!
      assert.closeTo(at - memberSeenAt!, 600_000, 60_000)
      assert.deepStrictEqual(serviceOf(yield* look, "measured")!.members, 0)
    }).pipe(Effect.provide(facts)))

  it.live("reads thresholds with their defaults, infinity included", () =>
    Effect.gen(function*() {
      const sql = yield* PgClient.PgClient
      yield* sql`INSERT INTO consumer_lag_thresholds (service_name, warning_lag, critical_seconds)
        VALUES ('s', 5, NULL), ('never', NULL, 'Infinity')`
      assert.deepStrictEqual(
        (yield* look).thresholds,
        new Map([
          ["s", { warningLag: 5, criticalLag: 10_000, warningSeconds: 300, criticalSeconds: 1_800 }],
          ["never", { warningLag: 1_000, criticalLag: 10_000, warningSeconds: 300, criticalSeconds: Infinity }]
        ])
      )
    }).pipe(Effect.provide(facts)))

  it.live("a database that is away, or not migrated, is told as such", () =>
    Effect.gen(function*() {
      const away = pool("postgres://u:secret@127.0.0.1:1/db", { connectTimeout: "300 millis" })
      const error = yield* Effect.flip(Effect.provide(look, Layer.provide(PostgresAlertFacts.layer, away)))
      assert.match(error.message, /^the measurements cannot be read: /)
      assert.notInclude(error.message, "secret")
    }))
})
