import { parseArgs } from "node:util"
import { wholeNumber } from "../../scripts/servers/wholeNumber.ts"
import { isContender, type ContenderName } from "./contenders/byName.ts"
import { isWorkload, type Shape, type WorkloadName, workloads } from "./workloads.ts"

export interface Flags {
  readonly workloads: ReadonlyArray<WorkloadName>
  /** What was asked for; a workload says the rest. */
  readonly shape: Partial<Shape>
  readonly rounds: number
  /** A file for all figures. */
  readonly json: string | undefined
  /** A folder for a plot of each workload. */
  readonly plots: string | undefined
  /** A page of Markdown that gets the tables. */
  readonly page: string | undefined
  /** Instead of a comparison: this contender's CPU profile, into a file. */
  readonly profile: ContenderName | undefined
  /** Fails where a ratio is less than half of its target. */
  readonly strict: boolean
}

export const usage = `npm run bench -- [--workload ${Object.keys(workloads).join(",")}]
                 [--records 1000000] [--bytes 200] [--partitions 4] [--rounds 7]
                 [--json FILE] [--plots FOLDER] [--page FILE.md] [--strict]
npm run bench -- --profile "weft processBatch"`

export const parse = (args: ReadonlyArray<string>): Flags => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      workload: { type: "string", default: "all" },
      records: { type: "string" },
      bytes: { type: "string" },
      partitions: { type: "string" },
      rounds: { type: "string", default: "7" },
      json: { type: "string" },
      plots: { type: "string" },
      page: { type: "string" },
      profile: { type: "string" },
      strict: { type: "boolean", default: false }
    }
  })
  const named = values.workload === "all" ? Object.keys(workloads) : values.workload.split(",")
  const { profile } = values
  if (profile !== undefined && !isContender(profile)) throw new Error(`there is no contender "${profile}"`)
  return {
    workloads: named.map((name) => {
      if (!isWorkload(name)) throw new Error(`there is no workload "${name}"`)
      return name
    }),
    shape: {
      ...(values.records !== undefined && { records: wholeNumber("--records", values.records, 1000, 100_000_000) }),
      ...(values.bytes !== undefined && { bytes: wholeNumber("--bytes", values.bytes, 50, 1_000_000) }),
      ...(values.partitions !== undefined && { partitions: wholeNumber("--partitions", values.partitions, 1, 1000) })
    },
    rounds: wholeNumber("--rounds", values.rounds, 1, 100),
    json: values.json,
    plots: values.plots,
    page: values.page,
    profile,
    strict: values.strict
  }
}
