/**
 * Small things that tests need: names, records, and a program that runs while the clock moves.
 *
 * @since 0.1.0
 */
import type { OutgoingRecord } from "@weft/kafka/Transport"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import type { RecordInput } from "./MemoryCluster.ts"

/**
 * A name for a topic or a group that no other test uses, by Effect's Random.
 *
 * @category constructors
 * @since 0.1.0
 */
export const uniqueName = (prefix: string): Effect.Effect<string> =>
  Effect.map(Random.nextIntBetween(0, 2 ** 40), (n) => `${prefix}-${n.toString(36)}`)

/**
 * Records whose values are the numbers from 0 on, spread over the partitions in turn. Record `n` has the key
 * `key-<n modulo keys>` (default: as many keys as partitions), so each key stays in one partition where the number of keys
 * is a multiple of that of partitions.
 *
 * @category constructors
 * @since 0.1.0
 */
export const numbered = (count: number, options?: {
  readonly partitions?: number | undefined
  readonly keys?: number | undefined
  readonly from?: number | undefined
}): ReadonlyArray<RecordInput & { readonly partition: number; readonly key: string; readonly value: string }> => {
  const { from = 0, partitions = 1 } = options ?? {}
  const keys = options?.keys ?? partitions
  return Array.from({ length: count }, (_, i) => {
    const n = from + i
    return { partition: n % partitions, key: `key-${n % keys}`, value: String(n) }
  })
}

/**
 * A record to send: text becomes UTF-8, what is left out is null.
 *
 * @category constructors
 * @since 0.1.0
 */
export const outgoing = (
  record: Pick<RecordInput, "key" | "value" | "headers" | "timestamp">
): OutgoingRecord => ({
  key: bytes(record.key),
  value: bytes(record.value),
  headers: record.headers ?? [],
  timestamp: record.timestamp
})

/**
 * Bytes as text, `null` for null.
 *
 * @category accessors
 * @since 0.1.0
 */
export const text = (value: Uint8Array | null): string | null => value === null ? null : decoder.decode(value)

const decoder = new TextDecoder()
const encoder = new TextEncoder()

const bytes = (input: Uint8Array | string | null | undefined): Uint8Array | null =>
  typeof input === "string" ? encoder.encode(input) : input ?? null

/**
 * Runs a program for a while of the test clock, then interrupts it and waits until its scope is closed. A program that
 * ends before that ends the wait with its result.
 *
 * @category running
 * @since 0.1.0
 */
export const runFor: {
  (duration: Duration.Input): <A, E, R>(program: Effect.Effect<A, E, R>) => Effect.Effect<A | undefined, E, R>
} = (duration) => <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(program)
    yield* TestClock.adjust(duration)
    if (fiber.pollUnsafe() !== undefined) return yield* Fiber.join(fiber)
    yield* driving(Fiber.interrupt(fiber))
    return undefined
  })

/**
 * Runs an effect and moves the test clock until it has ended, however long that takes.
 *
 * @category running
 * @since 0.1.0
 */
export const driving = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    // What takes no time ends here, and the clock stays.
    yield* TestClock.adjust(0)
    while (fiber.pollUnsafe() === undefined) yield* TestClock.adjust(5)
    return yield* Fiber.join(fiber)
  })
