/**
 * The configuration of a consumer with every setting decided.
 *
 * @since 0.1.0
 */
import type { ConsumerSettings } from "@weft/kafka/ConsumerSettings"
import * as Schema from "effect/Schema"
import * as Rules from "./internal/rules.ts"
import * as Values from "./internal/values.ts"
import * as Setting from "./Setting.ts"

type Decided = { readonly [K in Setting.SettingKey]: Setting.Value<(typeof Setting.settings)[K]> }

/**
 * A configuration with every setting decided. Times are milliseconds, sizes bytes; what each one means, its default
 * and its bounds stand in {@link Setting.settings}.
 *
 * @category models
 * @since 0.1.0
 */
export interface ConsumerConfig extends Decided {}

/**
 * The Schema of one setting's value.
 *
 * @category schemas
 * @since 0.1.0
 */
export const valueSchema = (setting: Setting.Setting): Schema.Codec<string | number | boolean> => {
  switch (setting.type) {
    case "integer":
      return Schema.Int.check(Schema.isBetween({ minimum: setting.min.value, maximum: setting.max.value }))
    case "choice":
      return Schema.Literals(Object.keys(setting.choices))
    case "flag":
      return Schema.Boolean
    case "name":
      return Schema.String.check(Schema.makeFilter((text) => Values.nameFault(setting, text)))
    case "text":
      return Schema.String.check(Schema.makeFilter((text) => Values.textFault(setting, text)))
  }
}

const fields = Object.fromEntries(Setting.keys.map((key) => [key, valueSchema(Setting.get(key))])) as unknown as {
  readonly [K in keyof Decided]: Schema.Codec<Decided[K]>
}

/**
 * Accepts exactly the configurations that a consumer can run with: each value within its bounds, and no two values
 * in contradiction (`heartbeatIntervalMs` at most a third of `sessionTimeoutMs`, `sessionTimeoutMs` at most
 * `maxPollIntervalMs`, and so on). Built from the table of settings.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ConsumerConfig: Schema.Codec<ConsumerConfig> = Schema.Struct(fields).check(
  Schema.makeFilter((config) => Rules.violations(config).map((rule) => ({ path: [rule.subject], issue: rule.text })))
)

/**
 * The `group.instance.id` of the member on that host; `undefined` where it is not static.
 *
 * @category converting
 * @since 0.1.0
 */
export const instanceIdOn = (
  { groupInstanceId }: Pick<ConsumerConfig, "groupInstanceId">,
  hostname: string
): string | undefined =>
  groupInstanceId === "" ? undefined : Values.textOf(Setting.settings.groupInstanceId, groupInstanceId, hostname)

/**
 * The configuration in the form that `Consumer` of `@weft/kafka` takes, for a member on that host; what it has beyond these
 * (its client id) is not configured by rows, and what concerns the processing of its records is none of its business.
 *
 * @category converting
 * @since 0.1.0
 */
export const toConsumerSettings = (
  config: ConsumerConfig,
  hostname: string
): Omit<ConsumerSettings, "clientId" | "metadataMaxAgeMs"> => {
  const { concurrency, consumerGroupId, maxInFlight, metricsIntervalMs, processingOrder, ...settings } = config
  return { groupId: consumerGroupId, ...settings, groupInstanceId: instanceIdOn(config, hostname) }
}
