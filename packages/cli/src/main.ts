#!/usr/bin/env node
/** The program `weft`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stdio from "effect/Stdio"
import * as Backends from "./Backends.ts"
import * as Weft from "./Weft.ts"

// `weft ... | head` closes the pipe early; nobody is left to tell.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0)
  throw error
})

Stdio.Stdio.use(({ args }) => Effect.flatMap(args, Weft.run)).pipe(
  Effect.provide(
    Layer.provideMerge(Layer.merge(TerminalCapabilities.layer, Backends.layer), NodeServices.layer)
  ),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
