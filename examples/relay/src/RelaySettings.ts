/** The relay's environment variables, checked all at once. Pure. */
import * as Result from "effect/Result"

/** How long to wait for each record, in milliseconds: at random between the two, both included. */
export interface WorkMs {
  readonly min: number
  readonly max: number
}

export type Order = "partition" | "key" | "none"

/** What fails on purpose: nothing, values with `"poison": true` for good, or each attempt with a probability. */
export type Failing =
  | { readonly _tag: "None" }
  | { readonly _tag: "Poison" }
  | { readonly _tag: "Flaky"; readonly probability: number }

/** Which client library, and which group protocol on it. */
export type TransportName = "kafkajs" | "platformatic" | "platformatic-consumer"

export interface RelaySettings {
  readonly transport: TransportName
  readonly brokers: ReadonlyArray<string>
  /** Without one the configuration is the defaults in the code, and nothing is measured. */
  readonly databaseUrl: string | undefined
  readonly service: string
  /** Without one the group is that of the service's configuration. */
  readonly group: string | undefined
  readonly input: string
  readonly output: string
  readonly deadLetters: string
  readonly workMs: WorkMs
  readonly order: Order
  /** Without one: 1 in the order of the partition, which has one at a time; else 16. */
  readonly concurrency: number | undefined
  readonly failing: Failing
  readonly member: string
}

/** A variable that the relay cannot start with. */
export interface BadVariable {
  readonly name: string
  readonly fault: string
  readonly accepts: string
}

export const describe = ({ accepts, fault, name }: BadVariable): string => `${name} ${fault}; it accepts ${accepts}`

type Environment = Readonly<Record<string, string | undefined>>

/** A parser answers `undefined` for what it does not accept. */
interface Variable<A> {
  readonly accepts: string
  readonly parse: (text: string) => A | undefined
  /** What may hold a password is not shown. */
  readonly isSecret?: boolean
}

const brokers: Variable<ReadonlyArray<string>> = {
  accepts: "addresses as host:port, separated by commas",
  parse: (text) => {
    const all = text.split(",").map((one) => one.trim())
    return all.every(isAddress) ? all : undefined
  }
}

const isAddress = (text: string): boolean => {
  const port = /^[^\s:/]+:(\d{1,5})$/.exec(text)?.[1]
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535
}

const transports: ReadonlyArray<TransportName> = ["kafkajs", "platformatic", "platformatic-consumer"]

const transport: Variable<TransportName> = {
  accepts: transports.join(", "),
  parse: (text) => transports.find((name) => name === text)
}

const databaseUrl: Variable<string> = {
  accepts: "a URL as postgres://user:password@host:port/database",
  parse: (text) => ["postgres:", "postgresql:"].includes(URL.parse(text)?.protocol ?? "") ? text : undefined,
  isSecret: true
}

const topic: Variable<string> = {
  accepts: "the name of a topic: 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'",
  parse: (text) => /^[a-zA-Z0-9._-]{1,249}$/.test(text) && text !== "." && text !== ".." ? text : undefined
}

const name: Variable<string> = { accepts: "a name", parse: (text) => text }

const longestMs = 3_600_000

const workMs: Variable<WorkMs> = {
  accepts: `milliseconds: a whole number such as 5, or a range such as 0-20, up to ${longestMs}`,
  parse: (text) => {
    const [, from, to] = /^(\d{1,8})(?:-(\d{1,8}))?$/.exec(text) ?? []
    if (from === undefined) return undefined
    const min = Number(from)
    const max = to === undefined ? min : Number(to)
    return min <= max && max <= longestMs ? { min, max } : undefined
  }
}

const order: Variable<Order> = {
  accepts: "partition, key or none",
  parse: (text) => text === "partition" || text === "key" || text === "none" ? text : undefined
}

const concurrency: Variable<number> = {
  accepts: "a whole number from 1 to 10000",
  parse: (text) => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 10_000 ? Number(text) : undefined
}

const failing: Variable<Failing> = {
  accepts: "none, poison, or flaky: with a probability from 0 to below 1, as flaky:0.01",
  parse: (text) => {
    if (text === "none") return { _tag: "None" }
    if (text === "poison") return { _tag: "Poison" }
    const probability = /^flaky:(\d*\.?\d+)$/.exec(text)?.[1]
    return probability !== undefined && Number(probability) < 1
      ? { _tag: "Flaky", probability: Number(probability) }
      : undefined
  }
}

/** The settings, or every variable that is missing or bad. An empty variable counts as one that is not set. */
export const parse = (
  environment: Environment,
  defaultMember: string
): Result.Result<RelaySettings, ReadonlyArray<BadVariable>> => {
  const bad: Array<BadVariable> = []
  const optional = <A, B>(name: string, variable: Variable<A>, otherwise: B): A | B => {
    const text = environment[name]?.trim()
    if (text === undefined || text === "") return otherwise
    const value = variable.parse(text)
    if (value !== undefined) return value
    const fault = variable.isSecret ? "cannot be used" : `is ${JSON.stringify(environment[name])}`
    bad.push({ name, fault, accepts: variable.accepts })
    return otherwise
  }
  const required = <A>(name: string, variable: Variable<A>, placeholder: A): A => {
    if ((environment[name] ?? "").trim() === "") bad.push({ name, fault: "is not set", accepts: variable.accepts })
    return optional(name, variable, placeholder)
  }

  const input = required("RELAY_IN", topic, "")
  const settings: RelaySettings = {
    transport: optional("RELAY_TRANSPORT", transport, "kafkajs"),
    brokers: required("KAFKA_BROKERS", brokers, []),
    databaseUrl: optional("DATABASE_URL", databaseUrl, undefined),
    service: optional("RELAY_SERVICE", name, "relay"),
    group: optional("RELAY_GROUP", name, undefined),
    input,
    output: required("RELAY_OUT", topic, ""),
    deadLetters: optional("RELAY_DLQ", topic, `${input}.dlq`),
    workMs: optional("RELAY_WORK_MS", workMs, { min: 0, max: 0 }),
    order: optional("RELAY_ORDER", order, "partition"),
    concurrency: optional("RELAY_CONCURRENCY", concurrency, undefined),
    failing: optional("RELAY_FAIL", failing, { _tag: "None" }),
    member: optional("RELAY_MEMBER", name, defaultMember)
  }
  // Fed with its own output, it would never end.
  for (const [name, value] of [["RELAY_OUT", settings.output], ["RELAY_DLQ", settings.deadLetters]] as const) {
    if (value !== "" && value === input) {
      bad.push({ name, fault: `is ${JSON.stringify(value)}`, accepts: "another topic than RELAY_IN" })
    }
  }
  return bad.length > 0 ? Result.fail(bad) : Result.succeed(settings)
}

const known = new Set([
  "RELAY_TRANSPORT",
  "RELAY_SERVICE",
  "RELAY_GROUP",
  "RELAY_IN",
  "RELAY_OUT",
  "RELAY_DLQ",
  "RELAY_WORK_MS",
  "RELAY_ORDER",
  "RELAY_CONCURRENCY",
  "RELAY_FAIL",
  "RELAY_MEMBER"
])

/** Variables that look like the relay's and are not: misspelt ones would else go unnoticed. */
export const unknownVariables = (environment: Environment): ReadonlyArray<string> =>
  Object.keys(environment).filter((name) => name.startsWith("RELAY_") && !known.has(name)).sort()
