/** Issues of configurations, as commands tell them. Pure. */
import * as ConfigIssue from "@weft/config/ConfigIssue"

export const isRefused = (issue: ConfigIssue.ConfigIssue): issue is ConfigIssue.Refused =>
  issue._tag === "BadValue" || issue._tag === "OutOfBounds" || issue._tag === "Contradiction"

export const issueJson = (issue: ConfigIssue.ConfigIssue) => ({ kind: issue._tag, message: ConfigIssue.message(issue) })
