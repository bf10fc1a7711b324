import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")

/** Now and not when V8 thinks it is time: of the young generation, or of everything. */
export const collectGarbage = runInNewContext("gc") as (options?: { readonly type: "minor" }) => void
