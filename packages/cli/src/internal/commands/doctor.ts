import * as PgClient from "@effect/sql-pg/PgClient"
import { layer as adminLayer } from "@weft/kafka/Admin"
import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CliFailure } from "../../CliFailure.ts"
import { type Answer, answer } from "../answer.ts"
import { withDatabase } from "../database.ts"
import * as DatabaseCheck from "../doctor/database.ts"
import { failed, type Finding, of, report } from "../doctor/finding.ts"
import * as KafkaCheck from "../doctor/kafka.ts"
import * as MachineCheck from "../doctor/machine.ts"
import * as ServicesCheck from "../doctor/services.ts"
import { chosenTransport, kafkaFailure } from "../kafka.ts"
import { withServices } from "../services.ts"

const patience = "20 seconds"

/** A server that does not answer in time is a finding, too. */
const inTime = <A, R>(what: string, effect: Effect.Effect<A, CliFailure, R>) =>
  Effect.timeoutOrElse(effect, {
    duration: patience,
    orElse: () =>
      Effect.fail(
        new CliFailure({
          kind: "Unavailable",
          message: `${what} did not answer within ${patience}`,
          next: "check that it is well, and that nothing between here and there holds packets back"
        })
      )
  })

const brokers = Effect.gen(function*() {
  return yield* Effect.provide(KafkaCheck.examine, Layer.provide(adminLayer, yield* chosenTransport))
}).pipe(Effect.mapError(kafkaFailure))

/** Which topics services read in the last day, by what they measured. */
const readTopics = Effect.gen(function*() {
  const sql = yield* PgClient.PgClient
  return yield* sql<ServicesCheck.Read>`
    SELECT DISTINCT service_name AS service, topic FROM consumer_processing_metrics
    WHERE timestamp > now() - INTERVAL '1 day' AND topic IS NOT NULL ORDER BY 1, 2`
})

const configured = Effect.gen(function*() {
  const writer = yield* ConfigWriter.ConfigWriter
  return yield* writer.list
})

/** What a check found, or that it could not be made; what it answers is for the checks after it. */
const attempt = <A, R>(
  area: Finding["area"],
  check: string,
  effect: Effect.Effect<A, CliFailure, R>
): Effect.Effect<{ readonly value: A | undefined; readonly findings: ReadonlyArray<Finding> }, never, R> =>
  Effect.match(effect, {
    onSuccess: (value) => ({ value, findings: [] }),
    onFailure: (failure) => ({ value: undefined, findings: [failed(area, check, failure)] })
  })

const examine = Effect.gen(function*() {
  const [kafka, database] = yield* Effect.all([
    attempt("kafka", "brokers", inTime("Kafka", brokers)),
    attempt("database", "PostgreSQL", inTime("the database", withDatabase(DatabaseCheck.examine)))
  ], { concurrency: 2 })
  const rows = database.value === undefined
    ? undefined
    : yield* attempt("services", "configurations", inTime("the database", withServices(configured)))
  const read = rows?.value === undefined
    ? undefined
    : yield* attempt("services", "topics", inTime("the database", withDatabase(readTopics)))
  const findings = [
    MachineCheck.nodeFinding(process.version),
    yield* MachineCheck.stateFolderFinding,
    ...kafka.findings,
    ...kafka.value?.findings ?? [],
    ...database.findings,
    ...database.value ?? [],
    ...rows === undefined
      ? [of("services")("configurations", "skipped", "they are in the database")]
      : rows.findings,
    ...read?.findings ?? [],
    ...rows?.value === undefined ? [] : ServicesCheck.examine(rows.value, read?.value ?? [], kafka.value)
  ]
  const isWell = findings.every(({ verdict }) => verdict === "ok" || verdict === "skipped")
  return {
    json: {
      healthy: isWell,
      findings: findings.map((one) => ({ ...one, next: one.next ?? null }))
    },
    text: (paint) => report(paint, findings),
    exit: isWell ? undefined : "Findings"
  } satisfies Answer
})

export const doctor = Command.make("doctor", {}, () => answer(examine)).pipe(
  Command.withDescription(
    "Examine all that Weft needs: Node.js and the state folder here, the brokers, the database with its migrations, permissions and clock, and whether the configurations fit them. Says what to do about each finding. Ends with 6 where there are any"
  ),
  Command.withShortDescription("Examine Node.js, Kafka, the database and the configurations"),
  Command.withExamples([{ command: "weft doctor" }, { command: "weft doctor --json", description: "For a script" }])
)
