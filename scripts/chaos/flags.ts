/** The command line of `npm run chaos`. */
import { randomBytes } from "node:crypto"
import { parseArgs } from "node:util"
import { wholeNumber } from "../servers/wholeNumber.ts"

export type Order = "partition" | "key" | "none"

export interface ChaosFlags {
  readonly mode: "chaos"
  readonly minutes: number
  readonly seed: string
  /** Only what an operator does on purpose: SIGTERM, scale, configuration. Then nothing may be repeated. */
  readonly planned: boolean
  readonly members: number
  /** Records per second. */
  readonly rate: number
  readonly nodes: number
  readonly partitions: number
  /** Undefined: drawn from the seed. */
  readonly order: Order | undefined
  /** As the relay names them. */
  readonly transport: string
  readonly workMs: string | undefined
  readonly fail: string | undefined
}

export interface BacklogFlags {
  readonly mode: "backlog"
  readonly records: number
  readonly bytes: number
  readonly partitions: number
  readonly workMs: number
  readonly seconds: number
}

export const usage = `npm run chaos -- [--minutes 1] [--seed S] [--planned] [--members 3] [--rate 850] [--nodes 3]
                 [--partitions 24] [--order partition|key|none] [--work 0-5] [--fail none|poison|flaky:0.01]
                 [--transport kafkajs|platformatic|platformatic-consumer]
npm run chaos -- --backlog [--records 1000000] [--bytes 500] [--partitions 64] [--work 50] [--minutes 1]`

export const parse = (args: ReadonlyArray<string>): ChaosFlags | BacklogFlags => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "1" },
      seed: { type: "string" },
      planned: { type: "boolean", default: false },
      members: { type: "string", default: "3" },
      rate: { type: "string", default: "850" },
      nodes: { type: "string", default: "3" },
      partitions: { type: "string" },
      order: { type: "string" },
      transport: { type: "string", default: "kafkajs" },
      work: { type: "string" },
      fail: { type: "string" },
      backlog: { type: "boolean", default: false },
      records: { type: "string", default: "1000000" },
      bytes: { type: "string", default: "500" }
    }
  })
  const minutes = Number(values.minutes)
  if (!(minutes >= 0.25 && minutes <= 1440)) {
    throw new Error(`--minutes takes a number from 0.25 to 1440, not "${values.minutes}"`)
  }
  if (values.backlog) {
    return {
      mode: "backlog",
      records: wholeNumber("--records", values.records, 1, 100_000_000),
      bytes: wholeNumber("--bytes", values.bytes, 50, 1_000_000),
      partitions: wholeNumber("--partitions", values.partitions ?? "64", 1, 1000),
      workMs: wholeNumber("--work", values.work ?? "50", 0, 60_000),
      seconds: Math.round(minutes * 60)
    }
  }
  const order = values.order
  if (order !== undefined && order !== "partition" && order !== "key" && order !== "none") {
    throw new Error(`--order takes partition, key or none, not "${order}"`)
  }
  return {
    mode: "chaos",
    minutes,
    seed: values.seed ?? randomBytes(4).toString("hex"),
    planned: values.planned,
    members: wholeNumber("--members", values.members, 1, 20),
    rate: wholeNumber("--rate", values.rate, 1, 100_000),
    nodes: wholeNumber("--nodes", values.nodes, 1, 9),
    partitions: wholeNumber("--partitions", values.partitions ?? "24", 1, 200),
    order,
    transport: values.transport,
    workMs: values.work,
    fail: values.fail
  }
}
