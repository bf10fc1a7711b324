/** Configurations as a file: YAML (or JSON, which is YAML), a mapping of services to their settings. Pure. */
import * as Yaml from "effect/encoding/Yaml"
import * as Result from "effect/Result"

/** The columns of each service's row by SQL name. */
export type Services = ReadonlyMap<string, { readonly [column: string]: unknown }>

const isMapping = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What stands in a file, or why it cannot be read as configurations. */
export const parse = (text: string): Result.Result<Services, string> => {
  const parsed = Result.try({
    try: () => Yaml.parse(text),
    catch: (error) => String((error as Error).message ?? error)
  })
  if (Result.isFailure(parsed)) return Result.fail(`it is no YAML: ${parsed.failure}`)
  const document = parsed.success
  if (!isMapping(document) || !isMapping(document["services"])) {
    return Result.fail("it has no mapping `services:` with the name of each service and its settings")
  }
  const services = Object.entries(document["services"])
  const odd = services.find(([, columns]) => columns !== null && !isMapping(columns))
  if (odd !== undefined) return Result.fail(`the settings of ${odd[0]} are no mapping of names to values`)
  return Result.succeed(new Map(services.map(([service, columns]) => [service, isMapping(columns) ? columns : {}])))
}

/** Words that mean the same to every reader of YAML; everything else is quoted as JSON is, which is YAML as well. */
const isPlain = (text: string): boolean =>
  /^[A-Za-z_][A-Za-z0-9_./-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text)

const scalar = (value: unknown): string => typeof value === "string" && isPlain(value) ? value : JSON.stringify(value)

/** The document that {@link parse} reads. */
export const render = (services: Services): string => {
  if (services.size === 0) return "services: {}\n"
  const lines = [...services].flatMap(([service, columns]) => {
    const set = Object.entries(columns).filter(([, value]) => value !== null && value !== undefined)
    return set.length === 0
      ? [`  ${scalar(service)}: {}`]
      : [`  ${scalar(service)}:`, ...set.map(([column, value]) => `    ${scalar(column)}: ${scalar(value)}`)]
  })
  return ["services:", ...lines].join("\n") + "\n"
}
