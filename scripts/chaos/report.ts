/** What a run has shown, in words. Pure. */
import type { Blame, HappenedKind } from "./blame.ts"

const names: Readonly<Record<HappenedKind, string>> = {
  kill: "kill -9 of a member",
  freeze: "SIGSTOP beyond the session",
  broker: "broker lost and restarted",
  postgres: "Postgres stopped and started",
  terminate: "SIGTERM and restart",
  scale: "scale up or down",
  configure: "configuration changed",
  protocol: "group_protocol changed",
  conversion: "group converted to classic"
}

const columns = ["fault", "times", "duplicates", "bound", "most of one", "its bound"]

/** A row for each kind of fault: how often, how many records it repeated, and how many it might have. */
export const faultTable = (blame: Blame): string => {
  const rows = (Object.keys(names) as Array<HappenedKind>).map((kind) => {
    const faults = blame.faults.filter((fault) => fault.kind === kind)
    const worst = faults.reduce((most, fault) => fault.repeats > (most?.repeats ?? -1) ? fault : most, faults[0])
    return [
      names[kind],
      faults.length,
      faults.reduce((sum, { repeats }) => sum + repeats, 0),
      faults.reduce((sum, fault) => sum + blame.bound(fault), 0),
      worst?.repeats ?? 0,
      worst === undefined ? 0 : blame.bound(worst)
    ].map(String)
  })
  const widths = columns.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)))
  const line = (cells: ReadonlyArray<string>) =>
    cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
  return [columns, widths.map((width) => "-".repeat(width)), ...rows].map(line).join("\n")
}
