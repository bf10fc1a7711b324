/** What a monitor says of a look: only what is new since the one before. Pure state. */
import type { GroupLag, Look } from "@weft/pipeline/GroupMonitor"
import type { LagStatus } from "@weft/pipeline/LagStatus"
import { behind, knownStatus, statusColours } from "./lagTables.ts"
import { type Paint, safe } from "./paint.ts"

export class MonitorLog {
  private statuses: ReadonlyMap<string, LagStatus | undefined> | undefined
  private failed: ReadonlyMap<string, string> = new Map()

  /** The lines for a look. */
  lines(paint: Paint, { failed, groups }: Look, messageOf: (failure: Look["failed"][number]) => string) {
    const before = this.statuses
    const failedBefore = this.failed
    this.statuses = new Map(groups.map((group) => [group.group, knownStatus(group, group.looks)]))
    this.failed = new Map(failed.map((one) => [one.group, messageOf(one)]))
    const isFailing = (group: string) => this.failed.has(group)
    return [
      ...groups.flatMap((group) => changed(paint, group, before)),
      ...[...before?.keys() ?? []].flatMap((group) =>
        this.statuses!.has(group) || isFailing(group) ? [] : [`${safe(group)}: it is gone`]
      ),
      ...[...this.failed].flatMap(([group, message]) =>
        failedBefore.get(group) === message ? [] : [`${paint.red(safe(group))}: ${message}`]
      )
    ]
  }
}

const changed = (
  paint: Paint,
  group: GroupLag,
  before: ReadonlyMap<string, LagStatus | undefined> | undefined
): ReadonlyArray<string> => {
  const name = paint.bold(safe(group.group))
  const was = before?.get(group.group)
  const status = knownStatus(group, group.looks)
  if (before?.has(group.group) !== true) {
    return [`${name}: ${group.lag === 0n ? "nothing to catch up on" : behind(group)}`]
  }
  if (status === was || status === undefined || (was === undefined && status === "ok")) return []
  const change = was === undefined ? status : `${was} -> ${status}`
  return [`${name}: ${paint[statusColours[status]](change)}, ${behind(group)}`]
}
