/** Where it is preloaded, @weft/platformatic is not installed. */
import { registerHooks } from "node:module"

registerHooks({
  resolve: (specifier, context, next) => {
    if (!specifier.startsWith("@weft/platformatic")) return next(specifier, context)
    throw Object.assign(new Error(`Cannot find package '${specifier}'`), { code: "ERR_MODULE_NOT_FOUND" })
  }
})
