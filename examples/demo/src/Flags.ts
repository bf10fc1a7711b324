/** The command line of the demo. Pure. */
import { parseArgs } from "node:util"

export interface Flags {
  /** A real Kafka in place of the one in memory. */
  readonly kafka: boolean
  readonly seconds: number
  /** Lines in place of a screen. */
  readonly plain: boolean
}

export const usage = `npm run demo [-- flags]

  --kafka      on a real Kafka: of KAFKA_BROKERS, or one that is started for it
  --seconds N  ends after N seconds (1 to 86400; default 60); Ctrl-C ends it sooner
  --plain      plain lines, as where there is no terminal
  --help       this

KAFKA_BROKERS and DATABASE_URL, where they are set, name the Kafka and the PostgreSQL to run on.`

/** The flags, `"help"`, or what is wrong with them. */
export const parse = (args: ReadonlyArray<string>): Flags | "help" | { readonly fault: string } => {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        kafka: { type: "boolean", default: false },
        seconds: { type: "string", default: "60" },
        plain: { type: "boolean", default: false },
        help: { type: "boolean", default: false }
      }
    })
    if (values.help) return "help"
    const seconds = Number(values.seconds)
    if (!/^\d+$/.test(values.seconds) || seconds < 1 || seconds > 86_400) {
      return { fault: `--seconds takes a whole number from 1 to 86400, not "${values.seconds}"` }
    }
    return { kafka: values.kafka, seconds, plain: values.plain }
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) }
  }
}
