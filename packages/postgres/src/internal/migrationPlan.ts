/**
 * What to run, given the files that there are and those that were applied. Pure.
 */

/** A migration as its file has it. */
export interface MigrationFile {
  /** The number that the file's name begins with. */
  readonly id: number
  /** The file's name, such as `0038_add_consumer_configurations.sql`. */
  readonly name: string
  readonly checksum: string
  readonly sql: string
}

/** A migration as the database remembers it. */
export interface AppliedMigration {
  readonly id: number
  readonly name: string
  readonly checksum: string
}

export type Fault =
  | { readonly kind: "BadName"; readonly file: string; readonly message: string }
  | { readonly kind: "Duplicate"; readonly file: string; readonly message: string }
  | { readonly kind: "Changed"; readonly file: string; readonly message: string }
  | { readonly kind: "Late"; readonly file: string; readonly message: string }

export type Plan =
  | {
    readonly _tag: "Plan"
    /** To be run, in order. */
    readonly run: ReadonlyArray<MigrationFile>
    /** Applied, but without a file here: the database is ahead of this version of the program. */
    readonly unknown: ReadonlyArray<AppliedMigration>
  }
  | { readonly _tag: "Refused"; readonly fault: Fault }

const fileName = /^(\d{1,9})_[A-Za-z0-9_-]+\.sql$/

/** The number of a file, or a fault where its name has none. */
export const idOf = (file: string): number | Fault => {
  const digits = fileName.exec(file)?.[1]
  return digits === undefined
    ? { kind: "BadName", file, message: `${file} is not named like 0038_what_it_does.sql` }
    : Number(digits)
}

const refused = (fault: Fault): Plan => ({ _tag: "Refused", fault })

/**
 * Runs what is new, in the order of the numbers. Refused: two files of one number; an applied file whose text has changed
 * since; a file that is not applied though a later one is, as nobody can tell what it would do there now.
 */
export const plan = (files: ReadonlyArray<MigrationFile>, applied: ReadonlyArray<AppliedMigration>): Plan => {
  const ordered = files.toSorted((a, b) => a.id - b.id)
  const before = new Map(applied.map((migration) => [migration.id, migration]))
  const latest = Math.max(-1, ...before.keys())
  for (const [i, file] of ordered.entries()) {
    const next = ordered[i + 1]
    if (next?.id === file.id) {
      return refused({
        kind: "Duplicate",
        file: next.name,
        message: `${next.name} has the number of ${file.name}: give the newer one a number of its own`
      })
    }
    const done = before.get(file.id)
    if (done !== undefined && done.checksum !== file.checksum) {
      return refused({
        kind: "Changed",
        file: file.name,
        message: `${file.name} is not what was applied as ${done.name}: put it back, and write the change as a new file`
      })
    }
    if (done === undefined && file.id < latest) {
      return refused({
        kind: "Late",
        file: file.name,
        message: `${file.name} comes after ${before.get(latest)!.name} was applied: give it a number above ${latest}`
      })
    }
  }
  const known = new Set(files.map((file) => file.id))
  return {
    _tag: "Plan",
    run: ordered.filter((file) => !before.has(file.id)),
    unknown: applied.filter((migration) => !known.has(migration.id))
  }
}
