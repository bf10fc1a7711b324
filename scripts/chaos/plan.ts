/** What shall happen when: drawn from the seed alone, before anything runs. Pure. */
import type { Draws } from "./draws.ts"
import type { Order } from "./flags.ts"

/** How the members work in this run. */
export interface Scene {
  readonly order: Order
  readonly workMs: string
  readonly concurrency: number | undefined
  readonly fail: string
}

export const drawScene = (
  draws: Draws,
  given: { readonly order: Order | undefined; readonly workMs: string | undefined; readonly fail: string | undefined }
): Scene => {
  const order = given.order ?? draws.oneOf(["partition", "partition", "key", "key", "none"] as const)
  return {
    order,
    // Uneven: with even times, a commit that ran ahead would go unseen.
    workMs: given.workMs ?? draws.oneOf(["0-5", "0-8", "1-3"]),
    concurrency: order === "partition" ? undefined : draws.oneOf([8, 16, 32]),
    fail: given.fail ?? draws.oneOf(["none", "poison", "flaky:0.002"])
  }
}

/** What a person does on purpose; nothing may be repeated by it, unless the coordinator converts the group meanwhile. */
export const plannedKinds = ["terminate", "scale", "configure", "protocol"] as const
/** What repeats records, up to a bound. */
export const hardKinds = ["kill", "freeze", "broker"] as const

export type FaultKind = typeof plannedKinds[number] | typeof hardKinds[number] | "postgres"

export interface PlannedFault {
  readonly kind: FaultKind
  /** When, in milliseconds after the start. */
  readonly atMs: number
  /** How long until it is undone. */
  readonly lastsMs: number
  /** From 0 to below 1: whom of those that are there it hits, or which of the variants it is. */
  readonly pick: number
}

/** The longest session of any configuration row that is drawn. */
export const longestSessionMs = 7_000

const perMinute = (kind: FaultKind, planned: boolean): number => {
  switch (kind) {
    case "terminate":
      return planned ? 3 : 0.75
    case "scale":
      return planned ? 2 : 0.5
    case "configure":
      return planned ? 2 : 0.5
    case "protocol":
      // At least two in a minute: there and back.
      return planned ? 2 : 1.2
    case "kill":
      return planned ? 0 : 2.7
    case "freeze":
      return planned ? 0 : 0.5
    case "broker":
    case "postgres":
      return planned ? 0 : 0.3
  }
}

const lasts = (kind: FaultKind, draws: Draws): number => {
  switch (kind) {
    case "terminate":
    case "kill":
      return draws.between(0, 3_000)
    case "freeze":
      return longestSessionMs + draws.between(1_000, 4_000)
    case "broker":
      return draws.between(2_000, 8_000)
    case "postgres":
      return draws.between(3_000, 15_000)
    case "scale":
    case "configure":
    case "protocol":
      return 0
  }
}

/** At least one of each kind; those of a kind are spread over the time, each at a random place of its part of it. */
export const drawPlan = (
  draws: Draws,
  options: { readonly durationMs: number; readonly planned: boolean }
): ReadonlyArray<PlannedFault> =>
  (["terminate", "scale", "configure", "protocol", "kill", "freeze", "broker", "postgres"] as const)
    .flatMap((kind) => {
      const own = draws.named(kind)
      const wanted = perMinute(kind, options.planned) * options.durationMs / 60_000
      const count = wanted === 0 ? 0 : Math.ceil(wanted)
      return Array.from({ length: count }, (_, i): PlannedFault => ({
        kind,
        atMs: Math.round(options.durationMs * (i + own.fraction()) / count),
        lastsMs: lasts(kind, own),
        pick: own.fraction()
      }))
    })
    .sort((a, b) => a.atMs - b.atMs)
