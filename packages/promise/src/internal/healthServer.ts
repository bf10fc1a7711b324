/** The server of probes and metrics of a program without Effect. */
import * as Effect from "effect/Effect"
import type { HttpServer } from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { createServer } from "node:http"
import type { HealthOptions } from "../ConsumerOptions.ts"
import { InvalidOptionError } from "../WeftError.ts"

/** A client that sends its request byte by byte does not hold up the end of the program. */
const server = () =>
  createServer({
    requestTimeout: 5_000,
    headersTimeout: 5_000,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 5_000
  })

/** HTTP takes a while to load, and most programs want none. */
const modules = Effect.promise(() =>
  Promise.all([import("@effect/platform-node/NodeHttpServer"), import("@weft/pipeline/HealthHttp")])
)

const reasonOf = ({ cause }: ServeError): string => cause instanceof Error ? cause.message : String(cause)

/** Listens until the scope is closed. */
export const healthServer = (
  { host = "0.0.0.0", port }: HealthOptions
): Effect.Effect<void, InvalidOptionError, Scope.Scope> =>
  Effect.gen(function*() {
    const [NodeHttpServer, HealthHttp] = yield* modules
    const listening: Layer.Layer<HttpServer, ServeError> = NodeHttpServer.layerServer(server, {
      host,
      port,
      gracefulShutdownTimeout: "1 second"
    })
    yield* Layer.build(Layer.provide(HealthHttp.layer, listening)).pipe(
      Effect.mapError((error) => new InvalidOptionError("health.port", `cannot be listened on: ${reasonOf(error)}`))
    )
  })
