/** The flags of every command that changes a configuration. */
import type { ChangeOptions } from "@weft/postgres/ConfigChange"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { hostname, userInfo } from "node:os"

export const changeFlags = {
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withDescription("Show what would change, for the service and for each running member, and write nothing"),
    Flag.withDefault(false)
  ),
  reason: Flag.String("reason").pipe(
    Flag.withMetavar("text"),
    Flag.withDescription("Why, for the history"),
    Flag.optional
  ),
  actor: Flag.String("actor").pipe(
    Flag.withMetavar("name"),
    Flag.withDescription("Who, for the history; by default the user of this machine"),
    Flag.optional
  ),
  force: Flag.Boolean("force").pipe(
    Flag.withDescription(
      "Write values that would be refused; other values are used in their place until they are mended"
    ),
    Flag.withDefault(false)
  )
}

interface Flags {
  readonly dryRun: boolean
  readonly reason: Option.Option<string>
  readonly actor: Option.Option<string>
  readonly force: boolean
}

/** Some containers have users without a name. */
const user = Effect.sync(() => `${userInfo().username}@${hostname()}`).pipe(
  Effect.catchDefect(() => Effect.succeed(`unknown@${hostname()}`))
)

export const changeOptions = Effect.fnUntraced(function*({ actor, dryRun, force, reason }: Flags) {
  return {
    dryRun,
    force,
    reason: Option.getOrUndefined(reason),
    actor: Option.getOrUndefined(actor) ?? (yield* user)
  } satisfies ChangeOptions
})
