/** Where a fiber stands, as far as Effect keeps it: functions made by `Effect.fn` and spans. */
import type { Fiber } from "effect/Fiber"
import type { StackFrame } from "effect/References"
import type { FiberTrace } from "../ConsumerEvent.ts"

const mostFrames = 20

/** `undefined` where the fiber has ended. */
export const traceOf = (fiber: Fiber<unknown, unknown>): FiberTrace | undefined => {
  if (fiber.pollUnsafe() !== undefined) return undefined
  const stack: Array<string> = []
  for (let frame = fiber.cache.stackFrame; frame !== undefined && stack.length < mostFrames; frame = frame.parent) {
    stack.push(lineOf(frame))
  }
  return { id: fiber.id, stack }
}

/** The name, and the place of the call where it was kept: `at f (file:///a.ts:1:2)` or `at file:///a.ts:1:2`. */
const lineOf = ({ name, stack }: StackFrame): string => {
  const line = stack()?.trim().split("\n")[0]
  if (line === undefined || line === "") return name
  const place = /\((.*)\)$/.exec(line)?.[1] ?? line.replace(/^at /, "")
  return `${name} (${place})`
}
