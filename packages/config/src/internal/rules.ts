/**
 * What must hold between two settings, and how values that were left out are derived so that it does.
 * Pure: no setting is read from anywhere but the arguments.
 */
import * as Setting from "../Setting.ts"

export type NumericKey = {
  readonly [K in Setting.SettingKey]: (typeof Setting.settings)[K] extends Setting.IntegerSetting ? K : never
}[Setting.SettingKey]

export type Numbers = { readonly [K in NumericKey]: number }

export interface Rule {
  /** The setting that gives way where two of equal standing contradict each other. */
  readonly subject: NumericKey
  readonly other: NumericKey
  readonly holds: (numbers: Numbers) => boolean
  readonly text: string
}

export const rules: ReadonlyArray<Rule> = [
  {
    subject: "heartbeatIntervalMs",
    other: "sessionTimeoutMs",
    holds: (n) => n.heartbeatIntervalMs * 3 <= n.sessionTimeoutMs,
    text:
      "heartbeat_interval_ms must be at most a third of session_timeout_ms, so that two lost heartbeats are no death"
  },
  {
    subject: "sessionTimeoutMs",
    other: "maxPollIntervalMs",
    holds: (n) => n.sessionTimeoutMs <= n.maxPollIntervalMs,
    text: "session_timeout_ms must be at most max_poll_interval_ms, or a rebalance ends before the dead are noticed"
  },
  {
    subject: "requestTimeoutMs",
    other: "maxPollIntervalMs",
    holds: (n) => n.requestTimeoutMs > n.maxPollIntervalMs,
    text: "request_timeout_ms must be more than max_poll_interval_ms, for which the broker may hold a join"
  },
  {
    subject: "fetchMaxWaitMs",
    other: "requestTimeoutMs",
    holds: (n) => n.fetchMaxWaitMs < n.requestTimeoutMs,
    text: "fetch_max_wait_ms must be less than request_timeout_ms, or idle fetches fail"
  },
  {
    subject: "retryBackoffMs",
    other: "maxPollIntervalMs",
    holds: (n) => n.retryBackoffMs < n.maxPollIntervalMs,
    text: "retry_backoff_ms must be less than max_poll_interval_ms, or the first retry is a stall"
  },
  {
    subject: "maxPartitionFetchBytes",
    other: "fetchMaxBytes",
    holds: (n) => n.maxPartitionFetchBytes <= n.fetchMaxBytes,
    text: "max_partition_fetch_bytes must be at most fetch_max_bytes, of which it is a part"
  },
  {
    subject: "fetchMinBytes",
    other: "fetchMaxBytes",
    holds: (n) => n.fetchMinBytes <= n.fetchMaxBytes,
    text: "fetch_min_bytes must be at most fetch_max_bytes, or every fetch waits in vain"
  },
  {
    subject: "reconnectBackoffMs",
    other: "reconnectBackoffMaxMs",
    holds: (n) => n.reconnectBackoffMs <= n.reconnectBackoffMaxMs,
    text: "reconnect_backoff_ms must be at most reconnect_backoff_max_ms, up to which it grows"
  }
]

export const violations = (numbers: Numbers): ReadonlyArray<Rule> => rules.filter((rule) => !rule.holds(numbers))

/**
 * Which setting falls back first where several answers drop equally few: those that follow from others before those
 * that a team chooses for their own sake.
 */
const yieldOrder: ReadonlyArray<NumericKey> = [
  "heartbeatIntervalMs",
  "requestTimeoutMs",
  "retryBackoffMs",
  "fetchMaxWaitMs",
  "fetchMinBytes",
  "maxPartitionFetchBytes",
  "reconnectBackoffMs",
  "sessionTimeoutMs",
  "fetchMaxBytes",
  "reconnectBackoffMaxMs",
  "maxPollIntervalMs"
]

export type Partially = { readonly [K in NumericKey]?: number }

/** What the brokers accept as a session timeout. */
export interface SessionLimits {
  readonly min: number
  readonly max: number
}

/**
 * Completes `explicit` with `preferred` values and then defaults, bending what is not explicit so that the rules hold
 * where that is possible. The session and the poll interval bend to each other, as do the two fetch sizes and the two
 * reconnect pauses. What a team relies on does not bend to what merely follows from it: an explicit heartbeat never
 * lengthens the session, and an explicit request timeout never shortens the poll interval.
 */
export const settle = (explicit: Partially, preferred: Partially, session: SessionLimits): Numbers => {
  const wish = (key: NumericKey) => preferred[key] ?? Setting.settings[key].default
  /** The upper one of a pair, raised to the lower one unless that one stands lower in rank. */
  const upper = (key: NumericKey, lower: NumericKey, atLeast = 0) =>
    explicit[key]
      ?? Math.max(wish(key), atLeast, explicit[lower] ?? (preferred[key] === undefined ? preferred[lower] ?? 0 : 0))
  const atMost = (key: NumericKey, limit: number) => explicit[key] ?? Math.min(wish(key), limit)

  const maxPollIntervalMs = upper("maxPollIntervalMs", "sessionTimeoutMs", session.min)
  const sessionTimeoutMs = explicit.sessionTimeoutMs
    ?? Math.max(session.min, atMost("sessionTimeoutMs", Math.min(maxPollIntervalMs, session.max)))
  const requestTimeoutMs = explicit.requestTimeoutMs
    ?? (wish("requestTimeoutMs") > maxPollIntervalMs ? wish("requestTimeoutMs") : maxPollIntervalMs + 5_000)
  const fetchMaxBytes = upper("fetchMaxBytes", "maxPartitionFetchBytes")
  const reconnectBackoffMaxMs = upper("reconnectBackoffMaxMs", "reconnectBackoffMs")
  const chosen = (key: NumericKey) => explicit[key] ?? wish(key)
  const maxPollRecords = chosen("maxPollRecords")
  const maxPartitionFetchBytes = atMost("maxPartitionFetchBytes", fetchMaxBytes)
  /** A bound of a queue grows with what comes into it, unless somebody has set it. */
  const growing = (key: NumericKey, grown: number) =>
    explicit[key] ?? preferred[key] ?? Math.min(grown, Setting.settings[key].max.value)
  return {
    maxPollRecords,
    sessionTimeoutMs,
    maxPollIntervalMs,
    heartbeatIntervalMs: atMost("heartbeatIntervalMs", Math.floor(sessionTimeoutMs / 3)),
    autoCommitIntervalMs: chosen("autoCommitIntervalMs"),
    fetchMinBytes: atMost("fetchMinBytes", fetchMaxBytes),
    fetchMaxWaitMs: atMost("fetchMaxWaitMs", requestTimeoutMs - 1),
    fetchMaxBytes,
    maxPartitionFetchBytes,
    requestTimeoutMs,
    retryBackoffMs: atMost("retryBackoffMs", maxPollIntervalMs - 1),
    reconnectBackoffMs: atMost("reconnectBackoffMs", reconnectBackoffMaxMs),
    reconnectBackoffMaxMs,
    connectionsMaxIdleMs: chosen("connectionsMaxIdleMs"),
    concurrency: chosen("concurrency"),
    maxInFlight: chosen("maxInFlight"),
    queueMaxRecords: growing("queueMaxRecords", 50 * maxPollRecords),
    queueMaxBytes: growing("queueMaxBytes", 2 * maxPartitionFetchBytes),
    bufferMaxBytes: growing("bufferMaxBytes", 2 * fetchMaxBytes),
    metricsIntervalMs: chosen("metricsIntervalMs")
  }
}

/** Settings that rules tie together, directly or through others; no rule goes from one group to another. */
const groups: ReadonlyArray<ReadonlyArray<NumericKey>> = (() => {
  const found: Array<ReadonlyArray<NumericKey>> = []
  for (const { other, subject } of rules) {
    const touched = found.filter((group) => group.includes(subject) || group.includes(other))
    for (const group of touched) found.splice(found.indexOf(group), 1)
    found.push([...new Set([...touched.flat(), subject, other])])
  }
  return found.map((group) => yieldOrder.filter((key) => group.includes(key)))
})()

const without = (explicit: Partially, dropped: ReadonlyArray<NumericKey>): Partially =>
  Object.fromEntries(Object.entries(explicit).filter(([key]) => !dropped.includes(key as NumericKey)))

/** All subsets of `size` of the candidates, in the order of the candidates. */
function* subsets(candidates: ReadonlyArray<NumericKey>, size: number): Generator<ReadonlyArray<NumericKey>> {
  if (size === 0) {
    yield []
    return
  }
  for (let i = 0; i <= candidates.length - size; i++) {
    for (const rest of subsets(candidates.slice(i + 1), size - 1)) yield [candidates[i]!, ...rest]
  }
}

export interface Dropped {
  /** The layer that the value stood in. */
  readonly layer: number
  readonly key: NumericKey
  /** The rule that would be broken if this one value were kept. */
  readonly rule: Rule
}

interface Drop {
  readonly layer: number
  readonly key: NumericKey
}

const merged = (layers: ReadonlyArray<Partially>, drops: ReadonlyArray<Drop>): Partially =>
  layers.reduceRight<Partially>(
    (weaker, layer, i) => ({
      ...weaker,
      ...without(layer, drops.filter((drop) => drop.layer === i).map((d) => d.key))
    }),
    {}
  )

/**
 * The fewest explicit values to fall back so that the rest holds, and the numbers that follow. The layers are given
 * with the strongest first: no value of a layer falls back where values of weaker ones could instead. What falls back
 * gives way to the weaker layers' value for the same setting. Falling all of them back always works, so there is an
 * answer.
 */
export const reconcile = (
  layers: ReadonlyArray<Partially>,
  preferred: Partially,
  session: SessionLimits
): { readonly numbers: Numbers; readonly dropped: ReadonlyArray<Dropped> } => {
  const numbersWithout = (drops: ReadonlyArray<Drop>) => settle(merged(layers, drops), preferred, session)

  const fewest = (
    group: ReadonlyArray<NumericKey>,
    layer: number,
    drops: ReadonlyArray<Drop>
  ): ReadonlyArray<Drop> | undefined => {
    if (layer === layers.length) {
      const isBroken = violations(numbersWithout(drops)).some((rule) => group.includes(rule.subject))
      return isBroken ? undefined : drops
    }
    const isShadowed = (key: NumericKey) =>
      layers.some((stronger, i) =>
        i < layer && stronger[key] !== undefined && !drops.some((drop) => drop.layer === i && drop.key === key)
      )
    const candidates = group.filter((key) => layers[layer]![key] !== undefined && !isShadowed(key))
    for (let size = 0; size <= candidates.length; size++) {
      for (const subset of subsets(candidates, size)) {
        const found = fewest(group, layer + 1, [...drops, ...subset.map((key) => ({ layer, key }))])
        if (found !== undefined) return found
      }
    }
    return undefined
  }

  const drops = groups.flatMap((group) => fewest(group, 0, []) ?? [])
  return {
    numbers: numbersWithout(drops),
    dropped: drops.map((drop) => {
      const kept = drops.filter((other) => other !== drop)
      const broken = violations(numbersWithout(kept))
      return {
        ...drop,
        rule: broken.find(({ other, subject }) => subject === drop.key || other === drop.key) ?? broken[0]!
      }
    })
  }
}
