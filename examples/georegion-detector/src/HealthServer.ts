/** Probes and metrics over HTTP where `WEFT_HEALTH_PORT` says so, and nothing else. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HealthHttp from "@weft/pipeline/HealthHttp"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { createServer } from "node:http"

export const layer = Layer.unwrap(Effect.map(
  HealthHttp.configured,
  Option.match({
    onNone: () => Layer.empty,
    onSome: (address) => Layer.provide(HealthHttp.layer, NodeHttpServer.layerServer(createServer, address))
  })
))
