/** Kafka for commands: an admin client, and failures in words. */
import { Admin, layer as adminLayer } from "@weft/kafka/Admin"
import type { KafkaError } from "@weft/kafka/KafkaError"
import type { Transport } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { Backends, transportNames } from "../Backends.ts"
import { CliFailure } from "../CliFailure.ts"
import type { Ended } from "./answer.ts"
import { nearNames } from "./nearNames.ts"

/** The client library of every command that needs Kafka. */
export const OnTransport = GlobalFlag.Setting("transport")({
  flag: Flag.Literals("transport", transportNames).pipe(
    Flag.withMetavar(transportNames.join("|")),
    Flag.withDescription("The client library for Kafka; default: KAFKA_TRANSPORT, else kafkajs"),
    Flag.optional
  )
})

type OnTransport = GlobalFlag.Setting.Identifier<"transport">

/** The transport that the command line, or else the environment, names. */
export const chosenTransport = Effect.gen(function*() {
  const { transport } = yield* Backends
  return transport(Option.getOrUndefined(yield* OnTransport))
})

const unavailable = (message: string, next: string) => new CliFailure({ kind: "Unavailable", message, next })

/** What a failure of Kafka means to the person at the terminal. */
export const kafkaFailure = (error: KafkaError): CliFailure => {
  switch (error._tag) {
    case "ConnectionError":
      return unavailable(error.message, "check KAFKA_BROKERS, and that the brokers run and can be reached from here")
    case "AuthenticationError":
      return unavailable(
        error.message,
        "check KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_* and KAFKA_SSL_*, which docs/security.md explains"
      )
    case "AuthorizationError":
      return new CliFailure({
        kind: "Failed",
        message: error.message,
        next: "have the missing ACL granted to the principal of these credentials"
      })
    case "InvalidSettingError":
      // What to install is in the reason.
      if (error.setting === "transport") return new CliFailure({ kind: "Usage", message: error.message })
      return new CliFailure({
        kind: "Usage",
        message: error.value === undefined ? `${error.setting} ${error.reason}` : error.message,
        next:
          "weft reads KAFKA_BROKERS, such as localhost:9092, and where needed KAFKA_SECURITY_PROTOCOL, KAFKA_SSL_*, KAFKA_SASL_*"
      })
    case "UnknownTopicError":
      return new CliFailure({ kind: "NotFound", message: error.message, next: "weft topics list shows all topics" })
    case "GroupError":
      return error.code === "NON_EMPTY_GROUP"
        ? new CliFailure({
          kind: "Refused",
          message: error.message,
          next: "stop all members of the group; weft groups describe GROUP shows them"
        })
        : new CliFailure({ kind: "Failed", message: error.message })
    default:
      return new CliFailure({ kind: "Failed", message: error.message })
  }
}

const isKafkaError = (error: KafkaError | CliFailure | Ended): error is KafkaError =>
  error._tag !== "CliFailure" && error._tag !== "Ended"

/** What Kafka fails with, in words. */
export const inWords = <A, R, E extends CliFailure | Ended = never>(effect: Effect.Effect<A, KafkaError | E, R>) =>
  Effect.mapError(effect, (error): CliFailure | E => isKafkaError(error) ? kafkaFailure(error) : error)

/** Runs with an admin client and the transport that it is on, for as long as it takes. */
export const withOpenKafka = <A, R, E extends CliFailure | Ended = never>(
  effect: Effect.Effect<A, KafkaError | E, R>
): Effect.Effect<A, CliFailure | E, Exclude<R, Admin | Transport> | Backends | OnTransport> =>
  inWords(Effect.gen(function*() {
    return yield* Effect.provide(effect, Layer.provideMerge(adminLayer, yield* chosenTransport))
  }))

/** Nothing takes longer than a minute. */
export const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | CliFailure, R> =>
  Effect.timeoutOrElse(effect, {
    duration: "1 minute",
    orElse: () => Effect.fail(unavailable("Kafka did not answer within a minute", "check that the brokers are well"))
  })

/** Runs with an admin client and the transport that it is on; nothing here takes longer than a minute. */
export const withKafka = <A, R>(
  effect: Effect.Effect<A, KafkaError | CliFailure, R>
): Effect.Effect<A, CliFailure, Exclude<R, Admin | Transport> | Backends | OnTransport> => inTime(withOpenKafka(effect))

/**
 * For questions about topics that were listed, and not named by anybody: one that is deleted in between is no failure. They
 * are listed again.
 */
export const listingAgain = <A, R>(effect: Effect.Effect<A, KafkaError, R>): Effect.Effect<A, KafkaError, R> =>
  Effect.retry(effect, {
    while: ({ _tag }) => _tag === "UnknownTopicError",
    times: 20,
    schedule: Schedule.spaced("50 millis")
  })

/** All topics. */
export const allTopics = listingAgain(
  Effect.flatMap(Admin, (admin) => Effect.flatMap(admin.listTopics, (names) => admin.describeTopics(names)))
)

/** The group, once it is sure that there is one. */
export const knownGroup = Effect.fnUntraced(function*(group: string) {
  const admin = yield* Admin
  const listed = yield* admin.listGroups
  if (listed.some(({ groupId }) => groupId === group)) return group
  return yield* new CliFailure({
    kind: "NotFound",
    message: `no consumer group is called "${group}"`,
    near: nearNames(group, listed.map(({ groupId }) => groupId)),
    next: "weft groups list shows all groups"
  })
})

/** The topics, once it is sure that there are all of them. */
export const knownTopics = Effect.fnUntraced(function*(topics: ReadonlyArray<string>) {
  if (topics.length === 0) return topics
  const admin = yield* Admin
  const listed = yield* admin.listTopics
  const missing = topics.find((topic) => !listed.includes(topic))
  if (missing === undefined) return topics
  return yield* new CliFailure({
    kind: "NotFound",
    message: `no topic is called "${missing}"`,
    near: nearNames(missing, listed),
    next: "weft topics list shows all topics"
  })
})
