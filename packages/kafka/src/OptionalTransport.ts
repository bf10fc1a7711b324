/**
 * A transport by its name, of a package that need not be installed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { InvalidSettingError } from "./KafkaError.ts"
import type { Transport } from "./Transport.ts"

/**
 * The transport that is imported when the layer is built. Where the package, or one that it needs, is not there, it fails with
 * an `InvalidSettingError` of the setting `transport` that says what to install; any other failure of the import is a defect
 * of the package.
 *
 * ```ts
 * OptionalTransport.layer({
 *   name: "platformatic",
 *   package: "@weft/platformatic",
 *   load: async () => (await import("@weft/platformatic/Platformatic")).layer({ brokers })
 * })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: {
  /** What whoever chose it calls it. */
  readonly name: string
  /** What has to be installed. */
  readonly package: string
  readonly load: () => Promise<Layer.Layer<Transport, InvalidSettingError>>
}): Layer.Layer<Transport, InvalidSettingError> =>
  Layer.unwrap(
    Effect.tryPromise(options.load).pipe(
      Effect.catch(({ cause }) => isMissing(cause) ? Effect.fail(notInstalled(options)) : Effect.die(cause))
    )
  )

const notInstalled = ({ name, package: needed }: { readonly name: string; readonly package: string }) =>
  new InvalidSettingError({
    setting: "transport",
    value: name,
    reason: `needs a package that is not installed here: npm install ${needed}`
  })

/** As modules are missed by `import` and by `require`. */
const codes: ReadonlySet<unknown> = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"])

const isMissing = (cause: unknown): boolean => cause instanceof Error && "code" in cause && codes.has(cause.code)
