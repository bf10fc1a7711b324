/**
 * Workload profiles: named sets of values for kinds of work. They stand between a service's row and the defaults.
 * Pure.
 *
 * @since 0.1.0
 */
import type { ConsumerConfig } from "./ConsumerConfig.ts"
import * as Setting from "./Setting.ts"

/**
 * The values that a profile sets; everything else is the default, or derived.
 *
 * @category models
 * @since 0.1.0
 */
export type Values = { readonly [K in keyof ConsumerConfig]?: ConsumerConfig[K] }

/**
 * A named set of values. A team may write its own: the resolver treats its values as it treats those of a row, so that
 * a bad one falls back alone.
 *
 * @category models
 * @since 0.1.0
 */
export interface WorkloadProfile {
  readonly name: string
  readonly description: string
  readonly values: Values
}

/**
 * Who named the profile that holds for a service: its row (`workload_profile`), the first rule whose pattern the
 * service's name matches, the program, or nobody.
 *
 * @category models
 * @since 0.1.0
 */
export type NamedBy = "row" | "rule" | "code" | "default"

const builtIn = (name: Setting.ProfileName, description: string): WorkloadProfile => ({
  name,
  description,
  values: Object.fromEntries(
    Setting.keys.flatMap((key) => {
      const value = Setting.get(key).profiles[name]
      return value === undefined ? [] : [[key, value]]
    })
  )
})

const none = builtIn("default", "no values of its own: every setting is the default")

/**
 * The profiles that come with Weft.
 *
 * - `default`: nothing set.
 * - `high-volume`: many small records with cheap processing (sensor readings, voice activity). Large batches; a short
 *   session and poll interval, as a healthy member is never silent for long.
 * - `gpu`: models on a GPU. One record at a time, each of up to 50 MB, ten minutes to work on it, and a session that
 *   survives the pauses of loading a model.
 * - `network-io`: calls to services elsewhere (geocoding). Few records at a time, as each waits on the network; a first
 *   retry after a second, since what fails on a network fails for a second at least.
 * - `db-writer`: rows written to a database. 500 records are one transaction: the cost of a multi-row insert per row is
 *   flat from a few hundred rows on, while a longer transaction holds its locks for longer and is repeated as a whole.
 *   The broker collects 64 KiB (for at most `fetch_max_wait_ms`) so that transactions are full. The first retry waits
 *   500 ms: long enough for a deadlock or a serialization failure to pass; the growing pauses reach over a failover
 *   of some minutes, within the default poll interval of five.
 * - `llm`: calls to a language model, of some seconds to two minutes each, limited per minute and paid for. 4 records at
 *   a time, since more only wait for the rate limit; a poll interval of 15 minutes holds 4 calls of two minutes, one
 *   after the other, and a retry of three of them; the first retry waits 5 s, as limits are counted per minute and an
 *   early retry is counted too. Commits stay as they are by default, at once, because each record that a crash repeats
 *   is paid twice. The process itself is never busy: a session of 120 s notices its death soon enough and outlasts a
 *   deployment's pauses.
 *
 * @category profiles
 * @since 0.1.0
 */
export const profiles: { readonly [P in Setting.ProfileName]: WorkloadProfile } = {
  default: none,
  "high-volume": builtIn("high-volume", "many small records, cheap to process"),
  gpu: builtIn("gpu", "one large record at a time, minutes of work each"),
  "network-io": builtIn("network-io", "each record waits on a service elsewhere"),
  "db-writer": builtIn("db-writer", "full batches, one transaction each"),
  llm: builtIn("llm", "few slow, rate-limited, paid calls at a time")
}

/**
 * The profile of a name, or `undefined` where none is called that.
 *
 * @category profiles
 * @since 0.1.0
 */
export const get = (name: string): WorkloadProfile | undefined =>
  Object.hasOwn(profiles, name) ? profiles[name as Setting.ProfileName] : undefined
