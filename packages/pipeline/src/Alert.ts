/**
 * An alert: something that a person should know of, from when it opened to when it closed. Pure.
 *
 * @since 0.1.0
 */

/**
 * `critical` wakes somebody up, `warning` can wait for the morning.
 *
 * @category models
 * @since 0.1.0
 */
export type Severity = "warning" | "critical"

/**
 * What an alert is about. There is at most one open alert for each of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface AlertSubject {
  readonly service: string
  /** The name of its rule, such as `lag` or `stuck`; see `AlertRules`. */
  readonly kind: string
  /** `undefined`: it is about all of the service's topics. */
  readonly topic: string | undefined
  /** `undefined`: it is about all of the topic's partitions. */
  readonly partition: number | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Alert extends AlertSubject {
  readonly severity: Severity
  /** Milliseconds since 1970. */
  readonly openedAt: number
  /** `undefined` while it is open. */
  readonly closedAt: number | undefined
  /** One sentence with the figures of the last look that changed it. */
  readonly message: string
  /** The same as values, for programs. */
  readonly evidence: Readonly<Record<string, unknown>>
}

/**
 * An alert as a store keeps it.
 *
 * @category models
 * @since 0.1.0
 */
export interface StoredAlert extends Alert {
  readonly id: string
  /** Why it is closed: `recovered`, or `not measured` where nothing was heard of its subject any more. */
  readonly closedBecause: ClosedBecause | undefined
  /** When a person said that they know of it; milliseconds since 1970. */
  readonly acknowledgedAt: number | undefined
  readonly acknowledgedBy: string | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export type ClosedBecause = "recovered" | "not measured"

/**
 * A change of an alert: it opened, its severity changed, or it closed.
 *
 * @category models
 * @since 0.1.0
 */
export type AlertTransition =
  | { readonly _tag: "Opened"; readonly alert: Alert }
  | { readonly _tag: "Changed"; readonly alert: Alert; readonly from: Severity }
  | { readonly _tag: "Closed"; readonly alert: Alert; readonly because: ClosedBecause }

/**
 * What others are told of an alert: how bad it is, or that it is over.
 *
 * @category models
 * @since 0.1.0
 */
export type AlertState = Severity | "closed"

/**
 * @category accessors
 * @since 0.1.0
 */
export const stateOf = ({ closedAt, severity }: Pick<Alert, "closedAt" | "severity">): AlertState =>
  closedAt === undefined ? severity : "closed"

/**
 * One text for each subject, as a key of maps.
 *
 * @category accessors
 * @since 0.1.0
 */
export const keyOf = ({ kind, partition, service, topic }: AlertSubject): string =>
  // Made for every reading of a look. No kind and no topic has a line break; the service's name is anything.
  `${kind}\n${partition ?? ""}\n${topic ?? ""}\n${service}`
