/** Random numbers from a seed: the same text draws the same numbers, everywhere. */
export interface Draws {
  /** From 0 to below 1. */
  readonly fraction: () => number
  /** A whole number, both ends included. */
  readonly between: (lowest: number, highest: number) => number
  readonly oneOf: <A>(choices: ReadonlyArray<A>) => A
  /** Other draws, which do not depend on how many were made here. */
  readonly named: (name: string) => Draws
}

export const draws = (seed: string): Draws => {
  const fraction = mulberry(hash(seed))
  const between = (lowest: number, highest: number) => lowest + Math.floor(fraction() * (highest - lowest + 1))
  return {
    fraction,
    between,
    oneOf: (choices) => choices[between(0, choices.length - 1)]!,
    named: (name) => draws(`${seed}/${name}`)
  }
}

/** FNV-1a. */
const hash = (text: string): number => {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  return state >>> 0
}

const mulberry = (start: number): () => number => {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
