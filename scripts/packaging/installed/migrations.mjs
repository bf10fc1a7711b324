/** Runs where the packed packages are installed: the migrations travelled along. */
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"

const names = (await Effect.runPromise(SqlMigrator.bundled)).map(({ name }) => name)
if (!names[0]?.startsWith("0038_")) throw new Error(`found ${names}`)
console.log(`found ${names.length} migrations`)
