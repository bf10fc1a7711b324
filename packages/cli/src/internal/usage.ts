/** What is wrong with a command line, in words. Pure. */
import type * as CliError from "effect/cli/CliError"
import type * as CliOutput from "effect/cli/CliOutput"
import type { HelpDoc } from "effect/cli/HelpDoc"
import { CliFailure } from "../CliFailure.ts"
import { nearNames } from "./nearNames.ts"

/** The suggestions are told apart from the message. */
const messageOf = (error: CliError.NonShowHelpErrors): string => error.message.split("\n\n")[0]!.replace(/\.$/, "")

const suggestionsOf = (error: CliError.NonShowHelpErrors, doc: HelpDoc): ReadonlyArray<string> => {
  switch (error._tag) {
    case "UnknownSubcommand":
      return error.suggestions
    case "UnrecognizedOption":
      return nearNames(error.option, [...doc.flags, ...doc.globalFlags ?? []].map(({ name }) => `--${name}`))
    default:
      return []
  }
}

export const usageFailure = (event: CliOutput.Presenter.InvalidInvocation): CliFailure => {
  const command = event.commandPath.join(" ")
  return new CliFailure({
    kind: "Usage",
    message: [...new Set(event.errors.map(messageOf))].join("\n"),
    near: event.errors.flatMap((error) => suggestionsOf(error, event.helpDoc)),
    next: `${command} --help shows how it is used`
  })
}
