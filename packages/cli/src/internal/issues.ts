/** Issues of configurations, as commands tell them. Pure. */
import * as ConfigIssue from "@weft/config/ConfigIssue"

export const isRefused = (issue: ConfigIssue.ConfigIssue): issue is ConfigIssue.Refused => "setting" in issue

/** What somebody has to mend in a row, a rule or a profile. */
export const isWrong = (
  issue: ConfigIssue.ConfigIssue
): issue is ConfigIssue.Refused | ConfigIssue.UnknownColumn | ConfigIssue.UnknownProfile =>
  isRefused(issue) || issue._tag === "UnknownColumn" || issue._tag === "UnknownProfile"

export const issueJson = (issue: ConfigIssue.ConfigIssue) => ({ kind: issue._tag, message: ConfigIssue.message(issue) })
