/** The handbook's page about the command, made from its help. Pure. */
import type { HelpDoc } from "effect/cli/HelpDoc"
import * as ExitCode from "../ExitCode.ts"
import { argumentPairs, commandPairs, flagPair, usageText } from "./helpText.ts"

const cell = (text: string) => text.replaceAll("|", "\\|")
const row = (cells: ReadonlyArray<string>) => `| ${cells.map(cell).join(" | ")} |`
const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<readonly [string, string]>) =>
  [row(head), row(head.map(() => "---")), ...rows.map(([left, right]) => row([`\`${left}\``, right]))].join("\n")

const fence = (text: string) => `\`\`\`sh\n${text}\n\`\`\``

const examples = ({ examples: all = [] }: HelpDoc): ReadonlyArray<string> =>
  all.length === 0
    ? []
    : [
      fence(
        all.flatMap(({ command, description }) => [...description === undefined ? [] : [`# ${description}`], command])
          .join("\n")
      )
    ]

const section = (doc: HelpDoc): string => {
  const path = doc.commandPath ?? []
  const parts = [
    `${"#".repeat(path.length)} ${path.join(" ")}`,
    doc.description.endsWith(".") ? doc.description : `${doc.description}.`,
    `Usage: \`${usageText(doc)}\``,
    ...commandPairs(doc).length === 0 ? [] : [table(["command", ""], commandPairs(doc).flatMap(([, pairs]) => pairs))],
    ...argumentPairs(doc).length === 0 ? [] : [table(["argument", ""], argumentPairs(doc))],
    ...doc.flags.length === 0 ? [] : [table(["flag", ""], doc.flags.map(flagPair))],
    ...examples(doc)
  ]
  return parts.join("\n\n")
}

const intro = `# The weft command

<!-- generated from the command's help by packages/cli/bin/cli-doc.ts -->

\`npm install -g @weft/cli\` puts \`weft\` on the path; \`npx weft\` runs it without that.

It reads \`DATABASE_URL\` and \`KAFKA_BROKERS\` from the environment, and where they are needed \`DATABASE_POOL_SIZE\`,
\`KAFKA_SECURITY_PROTOCOL\`, \`KAFKA_SSL_*\` and \`KAFKA_SASL_*\`, all of which [Security](security.md) tells. A command connects
only to what it needs: \`weft groups list\` works without a database.

\`KAFKA_TRANSPORT\`, or \`--transport\` before it, chooses the client library: \`kafkajs\`, the default, or \`platformatic\`, which needs
\`npm install -g @weft/platformatic\` besides. Both answer the same.

Answers go to standard output, failures and logs to standard error. With \`--json\` the answer is one line of JSON, and a
failure is \`{"error":{"kind","message","near","next"},"exitCode"}\`. Colours are used on a terminal only, and not with
\`NO_COLOR\`.`

const exitCodes = [
  "## Exit codes",
  table(["code", ""], ExitCode.table.map(({ code, meaning }) => [String(code), meaning]))
]

const completions = [
  "## Completions",
  "Bash: `eval \"$(weft --completions bash)\"` in `~/.bashrc`. Zsh: `eval \"$(weft --completions zsh)\"` in `~/.zshrc`. "
  + "Fish: `weft --completions fish | source` in `~/.config/fish/config.fish`.",
  "They know commands, flags and the words that a flag may take, and nothing that would have to be asked for: names of "
  + "services, groups and topics are not completed. A name that is not there is answered with those near it."
]

/** The whole page. */
export const helpMarkdown = (docs: ReadonlyArray<HelpDoc>): string => {
  const [root, ...commands] = docs
  return [
    intro,
    table(["command", ""], commandPairs(root!).flatMap(([, pairs]) => pairs)),
    table(["flag of every command", ""], (root!.globalFlags ?? []).map(flagPair)),
    ...exitCodes,
    ...completions,
    ...commands.map(section)
  ].join("\n\n") + "\n"
}
