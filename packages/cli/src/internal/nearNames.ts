/** Which of the names that exist was perhaps meant. Pure. */

/** Edits (insert, delete, replace, swap of neighbours) from one text to the other; more than `most` of them are not counted out. */
const distance = (a: string, b: string, most: number): number => {
  if (Math.abs(a.length - b.length) > most) return Infinity
  const at = (row: ReadonlyArray<number>, j: number): number => row[j] ?? Infinity
  let older: ReadonlyArray<number> = []
  let before: Array<number> = Array.from({ length: Math.min(b.length, most) + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    // Further from the diagonal there are too many edits already.
    const row: Array<number> = new Array<number>(b.length + 1).fill(Infinity)
    if (i <= most) row[0] = i
    for (let j = Math.max(1, i - most); j <= Math.min(b.length, i + most); j++) {
      const replaced = at(before, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(older, j - 2) + 1 : Infinity
      row[j] = Math.min(at(before, j) + 1, at(row, j - 1) + 1, replaced, swapped)
    }
    older = before
    before = row
  }
  return at(before, b.length)
}

const shown = 5

/** Longer ones are names by accident; comparing them would take long. */
const comparable = 300

/** Fewer are nearer; `undefined` is not near at all. */
const rank = (wanted: string, name: string): number | undefined => {
  if (name.length > comparable) return undefined
  const most = Math.min(4, Math.max(2, Math.floor(wanted.length / 4)))
  const edits = distance(wanted, name, most)
  if (edits <= most) return edits
  const isPart = wanted.length >= 3 && (name.includes(wanted) || name.length >= 3 && wanted.includes(name))
  return isPart ? comparable + Math.abs(name.length - wanted.length) : undefined
}

/** The nearest names, nearest first, at most five. */
export const nearNames = (wanted: string, names: Iterable<string>): ReadonlyArray<string> => {
  const lower = wanted.slice(0, comparable).toLowerCase()
  return [...names].flatMap((name) => {
    const how = rank(lower, name.toLowerCase())
    return how === undefined ? [] : [{ name, how }]
  })
    .sort((a, b) => a.how - b.how || (a.name < b.name ? -1 : 1))
    .slice(0, shown)
    .map(({ name }) => name)
}
