/** What PostgreSQL can hold: it has no place for U+0000, nor for half of a surrogate pair. Pure. */

export const storable = (text: string): string => text.toWellFormed().replaceAll("\u0000", "")

/** The same for every text within a value that becomes JSON. */
export const storableJson = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, part: unknown) => typeof part === "string" ? storable(part) : part))
