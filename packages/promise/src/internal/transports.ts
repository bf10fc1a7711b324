/** Connections: what stands behind each is known in here alone. */
import type { InvalidSettingError } from "@weft/kafka/KafkaError"
import * as OptionalTransport from "@weft/kafka/OptionalTransport"
import { Transport } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { Connection, Sasl, TransportName } from "../Connection.ts"
import type { ConsumerOptions } from "../ConsumerOptions.ts"
import { InvalidOptionError } from "../WeftError.ts"

const behind = new WeakMap<Connection, Transport["Service"]>()

/** A connection to what a transport reaches. */
export const connectionTo = (transport: Transport["Service"]): Connection => {
  const connection: Connection = Object.freeze({ transport: transport.name })
  behind.set(connection, transport)
  return connection
}

const saslOf = (sasl: Sasl): KafkaJs.Sasl =>
  sasl.mechanism === "oauthbearer"
    ? {
      mechanism: "oauthbearer",
      token: Effect.map(Effect.tryPromise(() => sasl.token()), Redacted.make)
    }
    : { mechanism: sasl.mechanism, username: sasl.username, password: Redacted.make(sasl.password) }

const listOf = (brokers: string | ReadonlyArray<string>): ReadonlyArray<string> =>
  (typeof brokers === "string" ? brokers.split(",") : brokers).map((one) => one.trim()).filter((one) => one !== "")

type Options = Pick<
  ConsumerOptions<unknown, unknown>,
  "brokers" | "connection" | "ssl" | "sasl" | "clientId" | "service" | "transport"
>

/** Both take the same: where the brokers are, and who is asking. */
type ConnectionOptions = Pick<KafkaJs.Options, "brokers" | "ssl" | "sasl" | "clientId">

const layers: {
  readonly [N in TransportName]: (options: ConnectionOptions) => Layer.Layer<Transport, InvalidSettingError>
} = {
  kafkajs: KafkaJs.layer,
  platformatic: (options) =>
    OptionalTransport.layer({
      name: "platformatic",
      package: "@weft/platformatic",
      load: () => import("@weft/platformatic/Platformatic").then(({ layer }) => layer(options))
    })
}

export const transportOf = (options: Options): Layer.Layer<Transport, InvalidSettingError> => {
  const { brokers, connection, transport: name } = options
  if (name !== undefined && !Object.hasOwn(layers, name)) {
    throw new InvalidOptionError("transport", `is ${String(name)}; it must be ${Object.keys(layers).join(" or ")}`)
  }
  if (connection !== undefined) {
    if (name !== undefined) throw new InvalidOptionError("transport", "is that of the connection; give one of the two")
    const transport = behind.get(connection)
    if (transport === undefined) throw new InvalidOptionError("connection", "is none that this package made")
    return Layer.succeed(Transport, transport)
  }
  if (brokers === undefined) {
    throw new InvalidOptionError("brokers", "are missing: give some as host:port, such as localhost:9092")
  }
  return layers[name ?? "kafkajs"]({
    brokers: listOf(brokers),
    ssl: options.ssl,
    sasl: options.sasl === undefined ? undefined : saslOf(options.sasl),
    clientId: options.clientId ?? options.service
  })
}
