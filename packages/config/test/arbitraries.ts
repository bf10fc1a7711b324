/** Rows, profiles, environments and programs of any kind, for properties. */
import * as Environment from "@weft/config/Environment"
import * as Setting from "@weft/config/Setting"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import * as fc from "fast-check"

const numbers = fc.oneof(
  fc.integer({ min: 1, max: 700_000 }),
  fc.integer(),
  fc.constantFrom(0, 1, 5000, 5001, 6000, 20000, 30000, 60000, 300000, 305000, 52428800, 2 ** 31, -1)
)
const anything = fc.oneof(
  { weight: 6, arbitrary: numbers },
  { weight: 2, arbitrary: fc.constantFrom(null, undefined) },
  fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, withSet: true, withMap: true }),
  fc.double(),
  fc.bigInt(),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("range", "cooperative-sticky", "latest", "none", "read_uncommitted", "true", "12", "1e3", "NaN")
)
const rowOf = (value: fc.Arbitrary<unknown>) =>
  fc.record(Object.fromEntries(Setting.keys.map((key) => [Setting.settings[key].sql, value])), { requiredKeys: [] })
export const columns = fc.tuple(rowOf(anything), fc.dictionary(fc.string(), anything, { maxKeys: 3 }))
  .map(([known, unknown]): Record<string, unknown> => ({ ...unknown, ...known }))
export const profiles = fc.oneof(
  fc.constantFrom(...Object.values(WorkloadProfile.profiles)),
  fc.record(Object.fromEntries(Setting.keys.map((key) => [key, anything])), { requiredKeys: [] })
    .map((values): WorkloadProfile.WorkloadProfile => ({
      name: "own",
      description: "",
      values: values as WorkloadProfile.Values
    }))
)
export const services = fc.oneof(fc.constant("svc"), fc.string({ unit: "binary" }))

export const overrides = fc.record(
  Object.fromEntries(Setting.keys.map((key) => [
    key,
    fc.oneof(numbers.map(String), fc.string({ unit: "binary" }), fc.constantFrom("true", "range", "latest", "")).map((
      raw
    ) => ({
      variable: key,
      raw
    }))
  ])),
  { requiredKeys: [] }
)
export const environments = fc.oneof(
  { weight: 2, arbitrary: fc.constant(Environment.empty) },
  fc.tuple(overrides, overrides)
)
export const limits = fc.record({
  groupMinSessionTimeoutMs: fc.oneof(fc.constantFrom(1, 6000, 30000, 60000), fc.integer({ min: 0, max: 1800000 })),
  groupMaxSessionTimeoutMs: fc.oneof(fc.constantFrom(30000, 60000, 1800000), fc.integer({ min: 6000, max: 9000000 }))
}).filter(({ groupMaxSessionTimeoutMs, groupMinSessionTimeoutMs }) =>
  groupMinSessionTimeoutMs <= groupMaxSessionTimeoutMs
)
export const tables = fc.record({
  rule: fc.record({ pattern: fc.string(), profile: fc.oneof(fc.constantFrom("gpu", "own"), fc.string()) }),
  profiles: fc.dictionary(fc.constantFrom("gpu", "own", "default", "__proto__"), rowOf(anything), {
    noNullPrototype: true
  })
}, { requiredKeys: [] })
export const valuesOf = fc.record(Object.fromEntries(Setting.keys.map((key) => [key, anything])), { requiredKeys: [] })
  .map((values) => values as WorkloadProfile.Values)
export const programs = fc.record({ fixed: valuesOf, defaults: valuesOf }, { requiredKeys: [] })
export const namedProfile = fc.record({ workload_profile: fc.oneof(fc.constantFrom("gpu", "own", "llm"), anything) }, {
  requiredKeys: []
})

/** Values of the setting's own type, from bound to bound and at the bounds; some that cannot be. */
const plausible = (key: Setting.SettingKey): fc.Arbitrary<unknown> => {
  const setting = Setting.get(key)
  const own: fc.Arbitrary<unknown> = setting.type === "integer"
    ? fc.oneof(
      fc.integer({ min: setting.min.value, max: setting.max.value }),
      fc.double({ min: Math.log(Math.max(1, setting.min.value)), max: Math.log(setting.max.value), noNaN: true })
        .map((power) => Math.round(Math.exp(power))),
      fc.constantFrom(setting.min.value, setting.max.value)
    )
    : setting.type === "choice"
    ? fc.constantFrom(...Object.keys(setting.choices))
    : setting.type === "flag"
    ? fc.boolean()
    : setting.type === "text"
    ? fc.constantFrom("", "one", "one-{hostname}")
    : fc.oneof(fc.string({ unit: "grapheme", minLength: 1 }), fc.string({ unit: "binary" }))
  return fc.oneof({ weight: 6, arbitrary: own }, { weight: 2, arbitrary: fc.constant(null) }, anything)
}

/** Rows whose values mostly could be, so that much of them holds. */
export const plausibleColumns = fc.record(
  Object.fromEntries(Setting.keys.map((key) => [Setting.settings[key].sql, plausible(key)])),
  { requiredKeys: [] }
)
