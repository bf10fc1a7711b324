/**
 * The probes of an orchestrator and the metrics over HTTP: `/health/started`, `/health/ready`, `/health/live`, `/metrics`.
 *
 * ```ts
 * const Health = HealthHttp.layer.pipe(
 *   Layer.provide(NodeHttpServer.layerServer(createServer, { port: 8080 }))
 * )
 * const Main = Layer.mergeAll(Pipeline.layer(orders), Pipeline.layer(invoices), Health)
 * ```
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServer } from "effect/http/HttpServer"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { type Probe, report } from "./Health.ts"
import { HealthRegistry } from "./HealthRegistry.ts"
import * as PrometheusMetrics from "./PrometheusMetrics.ts"

/**
 * A variable of the environment that no server can listen by. The message names it and what it accepts.
 *
 * @category errors
 * @since 0.1.0
 */
export class HealthConfigError extends Data.TaggedError("HealthConfigError")<{
  readonly variable: string
  readonly message: string
}> {}

/**
 * Where to listen.
 *
 * @category models
 * @since 0.1.0
 */
export interface Address {
  readonly port: number
  readonly host: string
}

const answer = (probe: Probe, registry: HealthRegistry) =>
  Effect.map(registry.all, (pipelines) => {
    const said = report(probe, pipelines)
    return HttpServerResponse.jsonUnsafe(
      // In this order, as people read it.
      { status: said.ok ? "ok" : "unavailable", ...said },
      { status: said.ok ? 200 : 503, headers: { "cache-control": "no-store" } }
    )
  })

const probes: ReadonlyArray<Probe> = ["started", "ready", "live"]

/**
 * The routes alone, for a program that has an `HttpRouter` of its own. They answer GET and HEAD, 200 or 503, with the reasons
 * as JSON; with `prefix` they are below another path.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRoutes = (
  options: { readonly prefix?: string | undefined } = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter> => {
  const prefix = options.prefix ?? ""
  const health = HttpRouter.use((router) =>
    Effect.gen(function*() {
      const registry = yield* HealthRegistry
      yield* Effect.forEach(
        probes,
        (probe) => router.add("GET", `${prefix}/health/${probe}` as HttpRouter.PathInput, answer(probe, registry)),
        { discard: true }
      )
    })
  )
  return Layer.merge(health, PrometheusMetrics.layerHttp({ path: `${prefix}/metrics` as HttpRouter.PathInput }))
}

/**
 * Serves {@link layerRoutes} and nothing else, for as long as it lives, on the `HttpServer` that it is given. Probes are
 * neither logged nor traced.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never, never, HttpServer> = HttpRouter.serve(layerRoutes(), {
  disableLogger: true,
  disableListenLog: true
}).pipe(Layer.provide(Layer.succeed(HttpMiddleware.TracerDisabledWhen, () => true)))

const refused = (variable: string, accepts: string) =>
  new HealthConfigError({ variable, message: `${variable} cannot be used: it accepts ${accepts}` })

const text = (variable: string) =>
  Config.String(variable).pipe(
    Config.option,
    Effect.mapError(() => refused(variable, "text")),
    Effect.map(Option.map((value) => value.trim())),
    Effect.map(Option.filter((value) => value !== ""))
  )

/**
 * Where the environment says to listen: `WEFT_HEALTH_PORT`, a whole number up to 65535 (0 takes a free one), and
 * `WEFT_HEALTH_HOST`, by default all addresses, as an orchestrator asks from outside. None without a port.
 *
 * @category configuration
 * @since 0.1.0
 */
export const configured: Effect.Effect<Option.Option<Address>, HealthConfigError> = Effect.gen(function*() {
  const port = yield* text("WEFT_HEALTH_PORT")
  if (Option.isNone(port)) return Option.none()
  if (!/^\d{1,5}$/.test(port.value) || Number(port.value) > 65_535) {
    return yield* refused("WEFT_HEALTH_PORT", "a port, from 0 to 65535")
  }
  const host = yield* text("WEFT_HEALTH_HOST")
  return Option.some({ port: Number(port.value), host: Option.getOrElse(host, () => "0.0.0.0") })
})
