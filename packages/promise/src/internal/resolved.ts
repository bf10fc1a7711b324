/** Resolved configurations as plain data. Pure. */
import * as Issue from "@weft/config/ConfigIssue"
import type { Resolved } from "@weft/config/Resolution"
import * as Setting from "@weft/config/Setting"
import * as WorkloadProfile from "@weft/config/WorkloadProfile"
import type { ConsumerConfig, ConsumerSettings, Origin, Profile } from "../ConsumerConfig.ts"
import { InvalidOptionError } from "../WeftError.ts"

const originOf = <A>({ refused, source, value }: {
  readonly value: A
  readonly source: Origin<A>["source"]
  readonly refused?: { readonly raw: unknown; readonly reason: Issue.Refused }
}): Origin<A> => ({
  value,
  source,
  ...refused === undefined ? {} : { refused: { raw: refused.raw, reason: Issue.message(refused.reason) } }
})

export const configOf = ({ config, issues, profile, provenance, service }: Resolved): ConsumerConfig => ({
  ...config,
  service,
  profile,
  provenance: Object.fromEntries(
    Setting.keys.map((key) => [key, originOf<unknown>(provenance[key])])
  ) as unknown as ConsumerConfig["provenance"],
  issues: issues.map((issue) => ({ kind: issue._tag, message: Issue.message(issue) }))
})

export const profileOf = (given: Profile | undefined): WorkloadProfile.WorkloadProfile | undefined => {
  if (given === undefined) return undefined
  if (typeof given !== "string") return { description: "", ...given }
  const found = WorkloadProfile.get(given)
  if (found !== undefined) return found
  throw new InvalidOptionError("profile", `"${given}" is none of ${Object.keys(WorkloadProfile.profiles).join(", ")}`)
}

/** The settings that a program insists on. */
export const fixedOf = (
  settings: Partial<ConsumerSettings> | undefined,
  { groupId }: { readonly groupId?: string | undefined }
): Partial<ConsumerSettings> => ({
  ...Object.fromEntries(Object.entries(settings ?? {}).filter(([, value]) => value !== undefined)),
  ...groupId === undefined ? {} : { consumerGroupId: groupId }
})
