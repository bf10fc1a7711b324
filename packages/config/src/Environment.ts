/**
 * Settings that the environment of the process overrides: `WEFT_<SERVICE>_<SETTING>` for one service,
 * `WEFT_<SETTING>` for all of them.
 *
 * @since 0.1.0
 */
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Setting from "./Setting.ts"

/**
 * A variable of the environment and its text.
 *
 * @category models
 * @since 0.1.0
 */
export interface Override {
  readonly variable: string
  readonly raw: string
}

/**
 * Overrides by setting.
 *
 * @category models
 * @since 0.1.0
 */
export type Overrides = { readonly [K in Setting.SettingKey]?: Override }

/**
 * What the environment says of a service: first the variables of the service, which win, then those of all services.
 *
 * @category models
 * @since 0.1.0
 */
export type Environment = readonly [service: Overrides, general: Overrides]

/**
 * An environment that says nothing.
 *
 * @category models
 * @since 0.1.0
 */
export const empty: Environment = [{}, {}]

const upperSnake = (text: string) => text.replace(/[^A-Za-z0-9]/g, "_").toUpperCase()

/**
 * The names of the two variables of a setting: the service in upper case with `_` in place of all that is no letter or
 * digit of ASCII, so that `geo-coder` reads `WEFT_GEO_CODER_MAX_POLL_RECORDS`. Two services whose names differ in such
 * characters alone share their variables.
 *
 * @category reading
 * @since 0.1.0
 */
export const variables = (service: string, key: Setting.SettingKey): readonly [service: string, general: string] => {
  const setting = upperSnake(Setting.settings[key].sql)
  return [`WEFT_${upperSnake(service)}_${setting}`, `WEFT_${setting}`]
}

const lookUp = Effect.fnUntraced(function*(provider: ConfigProvider.ConfigProvider, variable: string) {
  // A provider that cannot be read says nothing of this variable: configuration never stops a consumer.
  const node = yield* Effect.orElseSucceed(provider.load([variable]), () => undefined)
  return node?.value === undefined || node.value.trim() === "" ? undefined : { variable, raw: node.value }
})

/**
 * Reads the overrides of a service through Effect's `ConfigProvider`: by default from the environment of the process. A
 * variable that is empty counts as not set; a value is checked when the configuration is resolved.
 *
 * @category reading
 * @since 0.1.0
 */
export const read = Effect.fnUntraced(function*(service: string): Effect.fn.Return<Environment> {
  const provider = yield* ConfigProvider.ConfigProvider
  const own: { [K in Setting.SettingKey]?: Override } = {}
  const general: { [K in Setting.SettingKey]?: Override } = {}
  for (const key of Setting.keys) {
    const [ownName, generalName] = variables(service, key)
    const ownOverride = yield* lookUp(provider, ownName)
    const generalOverride = yield* lookUp(provider, generalName)
    if (ownOverride !== undefined) own[key] = ownOverride
    if (generalOverride !== undefined) general[key] = generalOverride
  }
  return [own, general]
})
