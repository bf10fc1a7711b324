import * as ConfigHistory from "@weft/postgres/ConfigHistory"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Answer, answer } from "../answer.ts"
import { positive } from "../counts.ts"
import { type Paint, safe } from "../paint.ts"
import { knownService, withServices } from "../services.ts"
import { moment } from "../times.ts"
import { serviceArgument } from "./configRead.ts"

const shown = (value: unknown): string => value === null ? "left out" : safe(String(value))

const titles: { readonly [K in ConfigHistory.Revision["operation"]]: string } = {
  INSERT: "made",
  UPDATE: "changed",
  DELETE: "removed"
}

const revisionText = (paint: Paint, revision: ConfigHistory.Revision): string =>
  [
    `${paint.bold(`revision ${revision.revision}`)}  ${titles[revision.operation]} ${moment(revision.changedAt)} by ${
      safe(revision.changedBy)
    }${revision.reason === undefined ? "" : `: ${safe(revision.reason)}`}`,
    ...revision.changes.map(({ column, from, to }) => `  ${safe(column)}  ${shown(from)} -> ${shown(to)}`)
  ].join("\n")

const read = Effect.fnUntraced(function*(service: string, limit: number, before: number | undefined) {
  yield* positive("--limit", limit)
  const history = yield* ConfigHistory.ConfigHistory
  const revisions = yield* history.list(service, { limit, before })
  // A row that was removed has a history, one that never was is perhaps a slip of the fingers.
  if (revisions.length === 0 && before === undefined) yield* knownService(service)
  return {
    json: revisions.map(({ newRow, oldRow, reason, ...revision }) => ({
      ...revision,
      reason: reason ?? null,
      oldRow: oldRow ?? null,
      newRow: newRow ?? null
    })),
    text: (paint: Paint) =>
      revisions.length === 0
        ? "no revisions"
        : revisions.map((revision) => revisionText(paint, revision)).join("\n")
  } satisfies Answer
})

export const history = Command.make(
  "history",
  {
    service: serviceArgument,
    limit: Flag.Int("limit").pipe(
      Flag.withAlias("n"),
      Flag.withMetavar("count"),
      Flag.withDescription("At most so many revisions; 50 by default"),
      Flag.withDefault(50)
    ),
    before: Flag.Int("before").pipe(
      Flag.withMetavar("revision"),
      Flag.withDescription("Only revisions before this one"),
      Flag.optional
    )
  },
  ({ before, limit, service }) => answer(withServices(read(service, limit, Option.getOrUndefined(before))))
).pipe(
  Command.withDescription("Show who changed what of a service's row, when and why, the newest first"),
  Command.withExamples([{ command: "weft config history georegion-detector --limit 10" }])
)
