/** Help as a newcomer reads it: what it is, how it is used, what there is, examples; what all commands share comes last. Pure. */
import * as CliOutput from "effect/cli/CliOutput"
import type { FlagDoc, HelpDoc } from "effect/cli/HelpDoc"
import * as Option from "effect/Option"
import type { Paint } from "./paint.ts"

/** A left side that is longer stands on a line of its own. */
const leftWidthMax = 30

type Pair = readonly [left: string, right: string]

const list = (paint: Paint, pairs: ReadonlyArray<Pair>): string => {
  const widths = pairs.map(([left]) => CliOutput.displayWidth(left)).filter((width) => width <= leftWidthMax)
  const width = Math.max(0, ...widths) + 2
  return pairs.map(([left, right]) => {
    const own = CliOutput.displayWidth(left)
    const gap = own <= leftWidthMax ? " ".repeat(width - own) : `\n${" ".repeat(width + 2)}`
    return `  ${paint.green(left)}${right === "" ? "" : gap + right}`
  }).join("\n")
}

/** The type says the choices already. */
const withoutChoices = (text: string) => text.replace(/ \(choices: .*\)$/, "")

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

export const flagPair = ({ aliases, description, name, type }: FlagDoc): Pair => [
  [...aliases, `--${name}`].join(", ") + (type === "boolean" ? "" : ` ${type.startsWith("<") ? type : `<${type}>`}`),
  withoutChoices(Option.getOrElse(description, () => ""))
]

export const argumentPairs = ({ args = [] }: HelpDoc): ReadonlyArray<Pair> =>
  args.map(({ description, name, required, variadic }) => [
    variadic ? `${name}...` : name,
    Option.getOrElse(description, () => "") + (required ? "" : " (optional)")
  ])

export const commandPairs = (doc: HelpDoc): ReadonlyArray<readonly [group: string, pairs: ReadonlyArray<Pair>]> =>
  (doc.subcommands ?? []).map(({ commands, group }) => [
    group ?? "COMMANDS",
    commands.map((one) => [one.name, sentence(one.shortDescription ?? one.description)])
  ])

/** `weft config <subcommand> [flags]` as people say it. */
export const usageText = ({ usage }: HelpDoc): string =>
  usage.replace("<subcommand>", "COMMAND").replace(/<([^<>|]+)>/g, (_, name: string) => name.toUpperCase())

const width = 100

/** Breaks lines that are too long between two words. */
const wrapped = (text: string): string =>
  text.split("\n").map((line) => line.replace(new RegExp(`(.{1,${width}})(?: +|$)`, "g"), "$1\n").trimEnd()).join("\n")

const exampleLines = (paint: Paint, { examples = [] }: HelpDoc): ReadonlyArray<string> =>
  examples.flatMap(({ command, description }) => [
    ...description === undefined ? [] : [paint.dim(`  # ${description}`)],
    `  ${paint.cyan(command)}`
  ])

export const helpText = (paint: Paint, doc: HelpDoc): string => {
  const section = (title: string, body: string) => body === "" ? [] : [`${paint.bold(title)}\n${body}`]
  return [
    wrapped(doc.description),
    ...section("USAGE", `  ${paint.cyan(usageText(doc))}`),
    ...commandPairs(doc).flatMap(([group, pairs]) => section(group, list(paint, pairs))),
    ...section("ARGUMENTS", list(paint, argumentPairs(doc))),
    ...section("FLAGS", list(paint, doc.flags.map(flagPair))),
    ...section("EXAMPLES", exampleLines(paint, doc).join("\n")),
    ...section("EVERY COMMAND", list(paint, (doc.globalFlags ?? []).map(flagPair)))
  ].join("\n\n")
}
