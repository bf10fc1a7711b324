import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises"
import { homedir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const run = promisify(execFile)
const lowestJava = 17

/** Jars that belong together: what Maven is asked for, and where they are kept. */
interface Bundle {
  readonly pom: string
  readonly name: string
}

const broker: Bundle = { pom: "../kafka/pom.xml", name: "kafka-4.4.0" }
const tools: Bundle = { pom: "../kafka/tools/pom.xml", name: "kafka-tools-4.3.0" }

const cacheFolder = ({ name }: Bundle) => {
  const caches = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache")
  return join(caches, "weft", name)
}

export const findOnPath = (name: string): string | undefined =>
  (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name)).find((path) => existsSync(path))

/** A JVM new enough for the broker. */
export const findJava = async (): Promise<string | undefined> => {
  const home = process.env["JAVA_HOME"]
  const java = home && existsSync(join(home, "bin", "java")) ? join(home, "bin", "java") : findOnPath("java")
  if (java === undefined) return undefined
  const version = await run(java, ["-version"]).then(
    ({ stderr }) => /version "(\d+)/.exec(stderr)?.[1],
    () => undefined
  )
  return version !== undefined && Number(version) >= lowestJava ? java : undefined
}

/** Whether the jars are here, or can be fetched. */
export const canHaveKafkaJars = (): boolean => existsSync(cacheFolder(broker)) || findOnPath("mvn") !== undefined

/** The folder of a bundle's jars, fetched by Maven at the first time. */
const fetchJars = async (bundle: Bundle): Promise<string> => {
  const cache = cacheFolder(bundle)
  if (existsSync(cache)) return cache
  await mkdir(dirname(cache), { recursive: true })
  const fetched = await mkdtemp(`${cache}.fetching-`)
  try {
    const libs = join(fetched, "libs")
    await run("mvn", [
      "-q",
      "-B",
      "-f",
      fileURLToPath(new URL(bundle.pom, import.meta.url)),
      "dependency:copy-dependencies",
      "-DincludeScope=runtime",
      `-DoutputDirectory=${libs}`
    ])
    // A rename is all or nothing: no other process ever sees a half-fetched cache.
    await rename(libs, cache).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error
      // Another process was faster; its jars are the same.
    })
    return cache
  } finally {
    await rm(fetched, { recursive: true, force: true })
  }
}

/** The folder of the broker's jars. */
export const kafkaJars = (): Promise<string> => fetchJars(broker)

/** The folder of the jars of Kafka's own command-line tools. */
export const kafkaToolJars = (): Promise<string> => fetchJars(tools)

/** What one of Kafka's own command-line tools prints. */
export const runKafkaTool = async (mainClass: string, args: ReadonlyArray<string>): Promise<string> => {
  const java = await findJava()
  if (java === undefined) throw new Error(`Kafka's tools need Java ${lowestJava} or newer`)
  const jvm = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
  const logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
  const classPath = join(await kafkaToolJars(), "*")
  return (await run(java, [...jvm, logging, "-cp", classPath, mainClass, ...args])).stdout
}
