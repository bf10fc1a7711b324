/**
 * The service that a consumer asks for its configuration. It always answers: what is wrong with the configuration, or
 * with the database that holds it, is part of the answer and never an error.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Formatter from "effect/Formatter"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as ConfigIssue from "./ConfigIssue.ts"
import * as ConfigRow from "./ConfigRow.ts"
import * as ConfigRows from "./ConfigRows.ts"
import * as Environment from "./Environment.ts"
import * as Resolution from "./Resolution.ts"
import * as Setting from "./Setting.ts"
import type * as WorkloadProfile from "./WorkloadProfile.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The workload profile that stands between the row and the defaults, unless the row or a rule names another one.
   * Default `WorkloadProfile.profiles.default`.
   */
  readonly profile?: WorkloadProfile.WorkloadProfile | undefined
  /** What the program insists on: it comes before the environment and the row. Default: nothing. */
  readonly fixed?: WorkloadProfile.Values | undefined
  /** What the program says where row and profile say nothing: it comes before the defaults. Default: nothing. */
  readonly defaults?: WorkloadProfile.Values | undefined
  /** What the brokers accept as a session timeout. Default: what brokers accept by default. */
  readonly broker?: Resolution.BrokerLimits | undefined
}

/**
 * Gives services their configuration.
 *
 * @category services
 * @since 0.1.0
 */
export class ConfigStore extends Context.Service<ConfigStore, {
  /**
   * The configuration of a service now. Never fails: without a row, a table or a database the profile and the defaults
   * hold, or, where this store has read the row before, the row as it was last; `issues` says so.
   */
  readonly load: (service: string, options?: Options) => Effect.Effect<Resolution.Resolved>
  /**
   * The configuration now, and again whenever it, its provenance or its issues differ from the last one. No change is
   * missed between subscribing and the first element; a burst of changes may arrive as its last one only.
   */
  readonly changes: (service: string, options?: Options) => Stream.Stream<Resolution.Resolved>
}>()("@weft/config/ConfigStore") {}

/**
 * What a store reads from.
 *
 * @category models
 * @since 0.1.0
 */
export interface RowSource {
  /** Reads the row of a service, and the profiles that it, a rule or the code (`profile`) may name; bounded in time. */
  readonly read: (service: string, profile?: string) => Effect.Effect<ConfigRow.RowResult>
  /**
   * Emits whenever the row of a service may have changed. It emits once when the subscription stands: from then on no
   * change goes without a signal.
   */
  readonly signals: (service: string) => Stream.Stream<unknown>
}

const issuesFound = Metric.counter("weft_config_issues", {
  description: "Issues found in configurations, each counted when it appears",
  incremental: true
})

const values = Metric.gauge("weft_config_value", {
  description: "Settings that are numbers or flags (1 is on), as they are resolved"
})

const choices = Metric.gauge("weft_config_choice", {
  description: "Settings that are words, as they are resolved: 1 for the word that holds, 0 for one that did"
})

/** A name may be of 32 kB. */
const word = (value: string) => value.slice(0, 200)

const measure = (service: string, { config }: Resolution.Resolved, before: Resolution.Resolved | undefined) =>
  Effect.forEach(Setting.keys, (key) => {
    const setting = Setting.settings[key].sql
    const value = config[key]
    if (typeof value !== "string") {
      return Metric.update(Metric.withAttributes(values, { service, setting }), Number(value))
    }
    const show = (value: string, holds: 0 | 1) =>
      Metric.update(Metric.withAttributes(choices, { service, setting, value: word(value) }), holds)
    const old = before?.config[key]
    return Effect.andThen(
      typeof old === "string" && word(old) !== word(value) ? show(old, 0) : Effect.void,
      show(value, 1)
    )
  }, { discard: true })

/** What a store remembers of a service. */
interface Memory {
  /** The row as it was read last, which an outage of the database does not take away. */
  row?: ConfigRow.RowResult
  /** What was answered last. */
  resolved?: Resolution.Resolved
  /** One read at a time, so that an older row never replaces a newer one. */
  readonly turn: Semaphore.Semaphore
  /** The issues that stand, by identity: each is logged when it appears, not each time it is met. */
  standing: ReadonlyMap<string, ConfigIssue.ConfigIssue>
}

const tell = Effect.fnUntraced(
  function*(service: string, memory: Memory, issues: ReadonlyArray<ConfigIssue.ConfigIssue>) {
    const before = memory.standing
    memory.standing = new Map(issues.map((issue) => [ConfigIssue.identity(issue), issue]))
    for (const [identity, issue] of memory.standing) {
      if (before.has(identity)) continue
      yield* Metric.update(Metric.withAttributes(issuesFound, { service, issue: issue._tag }), 1)
      const line = `configuration: ${ConfigIssue.message(issue)}`
      yield* (ConfigIssue.level(issue) === "Warn" ? Effect.logWarning(line) : Effect.logInfo(line))
    }
    for (const [identity, issue] of before) {
      if (!memory.standing.has(identity)) {
        yield* Effect.logInfo(`configuration: no longer: ${ConfigIssue.message(issue)}`)
      }
    }
  }
)

/**
 * A store that reads from a source of rows: it resolves, keeps the last row through an outage, logs and counts each
 * issue once when it appears (metric `weft_config_issues`), shows values as metrics (`weft_config_value`, and
 * `weft_config_choice` where they are words), and turns the source's signals into changes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (source: RowSource): ConfigStore["Service"] => {
  const memories = new Map<string, Memory>()
  const memoryOf = (key: string): Memory => {
    const known = memories.get(key)
    if (known !== undefined) return known
    const memory: Memory = { standing: new Map(), turn: Semaphore.makeUnsafe(1) }
    memories.set(key, memory)
    return memory
  }

  const readAndResolve = Effect.fnUntraced(function*(service: string, memory: Memory, options?: Options) {
    const read = yield* source.read(service, options?.profile?.name)
    if (!ConfigRow.isOutage(read)) memory.row = read
    const row = memory.row ?? read
    const environment = yield* Environment.read(service)
    const resolved = Resolution.resolve({
      service,
      row,
      environment,
      profile: options?.profile,
      fixed: options?.fixed,
      defaults: options?.defaults,
      broker: options?.broker
    })
    const answer = read._tag === "NoRow" && row !== read
      ? { ...resolved, issues: [read.reason, ...resolved.issues] }
      : resolved
    yield* tell(service, memory, answer.issues)
    if (memory.resolved === undefined || !Resolution.same(memory.resolved, answer)) {
      yield* measure(service, answer, memory.resolved)
    }
    memory.resolved = answer
    return answer
  })

  const load = (service: string, options?: Options) =>
    Effect.suspend(() => {
      const memory = memoryOf(
        Formatter.format([service, options?.profile?.name, options?.fixed ?? {}, options?.defaults ?? {}])
      )
      return readAndResolve(service, memory, options).pipe(
        memory.turn.withPermit,
        Effect.annotateLogs({ service: service.slice(0, 200) })
      )
    })

  const changes = (service: string, options?: Options) =>
    source.signals(service).pipe(
      // The row is read as it is now, so signals that came while it was read are one.
      Stream.buffer({ capacity: 1, strategy: "sliding" }),
      Stream.mapEffect(() => load(service, options)),
      Stream.changesWith(Resolution.same)
    )

  return ConfigStore.of({ load, changes })
}

/**
 * A store over the rows of {@link ConfigRows.ConfigRows}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRows: Layer.Layer<ConfigStore, never, ConfigRows.ConfigRows> = Layer.effect(
  ConfigStore,
  Effect.map(ConfigRows.ConfigRows, ({ rows }) =>
    make({
      read: (service) =>
        Effect.map(
          SubscriptionRef.get(rows),
          (all): ConfigRow.RowResult => all.get(service) ?? { _tag: "NoRow", reason: { _tag: "MissingRow", service } }
        ),
      signals: () => SubscriptionRef.changes(rows)
    }))
)

/**
 * A store whose rows are kept in memory and can be changed through {@link ConfigRows.ConfigRows}, which it provides as
 * well. Rows are given as a database would: by SQL name, with values of any type.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = (
  rows: { readonly [service: string]: ConfigRows.Columns } = {}
): Layer.Layer<ConfigStore | ConfigRows.ConfigRows> => Layer.provideMerge(layerRows, ConfigRows.layer(rows))

/**
 * A store that gives every service the same values, written in code; what they leave out is the profile's, the default
 * or derived. It never changes. In the provenance, the values stand as those of a row.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerStatic = (values: WorkloadProfile.Values = {}): Layer.Layer<ConfigStore> => {
  const columns = Object.fromEntries(
    Setting.keys.flatMap((key) => values[key] === undefined ? [] : [[Setting.settings[key].sql, values[key]]])
  )
  return Layer.sync(ConfigStore, () =>
    make({
      read: () => Effect.succeed({ _tag: "Row", columns }),
      signals: () => Stream.succeed(undefined)
    }))
}
