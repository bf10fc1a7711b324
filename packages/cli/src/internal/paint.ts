/** Colours where the terminal has them, plain text elsewhere. Pure. */

export interface Paint {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

const sgr = (code: number) => (text: string) => text === "" ? text : `\u001b[${code}m${text}\u001b[0m`

const same = (text: string) => text

export const plain: Paint = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same }

export const coloured: Paint = {
  bold: sgr(1),
  dim: sgr(2),
  red: sgr(31),
  green: sgr(32),
  yellow: sgr(33),
  cyan: sgr(36)
}

/** Names come from others: what would steer a terminal is shown as an escape instead. */
export const safe = (text: string): string =>
  text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  ).toWellFormed()
