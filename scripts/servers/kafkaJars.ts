import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises"
import { homedir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const run = promisify(execFile)
const pom = fileURLToPath(new URL("../kafka/pom.xml", import.meta.url))
const lowestJava = 17

const cacheFolder = () => {
  const caches = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache")
  return join(caches, "weft", "kafka-4.4.0")
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
export const canHaveKafkaJars = (): boolean => existsSync(cacheFolder()) || findOnPath("mvn") !== undefined

/** The folder of the broker's jars, fetched by Maven at the first time. */
export const kafkaJars = async (): Promise<string> => {
  const cache = cacheFolder()
  if (existsSync(cache)) return cache
  await mkdir(dirname(cache), { recursive: true })
  const fetched = await mkdtemp(`${cache}.fetching-`)
  try {
    const libs = join(fetched, "libs")
    await run("mvn", [
      "-q",
      "-B",
      "-f",
      pom,
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
