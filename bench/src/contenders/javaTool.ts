/** Kafka's own tools, as fast as Java runs them. */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { findJava, kafkaToolJars } from "../../../scripts/servers/kafkaJars.ts"

/** What it printed. */
export const runJavaTool = async (mainClass: string, args: ReadonlyArray<string>): Promise<string> => {
  const java = await findJava()
  if (java === undefined) throw new Error("there is no Java for the Java client")
  const { stdout } = await promisify(execFile)(
    java,
    ["-Xmx512m", "-cp", join(await kafkaToolJars(), "*"), mainClass, ...args],
    { maxBuffer: 1 << 24 }
  )
  return stdout
}
