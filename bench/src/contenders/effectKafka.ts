/**
 * effect-kafka 0.9 on kafkajs. It needs Effect 3 and would like older peers than ours, so it lives in a folder with a lock file of its
 * own, which is installed when it first takes part: nobody else pays for it.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { type Contender, fetchSettings, type Progress, type Task } from "./Contender.ts"

type Form = "stream" | "handler"

type Peer = Readonly<Record<Form, (task: Task, progress: Progress, settings: typeof fetchSettings) => Promise<void>>>

const folder = new URL("../../peers/effect-kafka/", import.meta.url)
const installer = fileURLToPath(new URL("../../../scripts/ensure-installed.mjs", import.meta.url))

const load = async (): Promise<Peer> => {
  const { status } = spawnSync(process.execPath, [installer, fileURLToPath(folder)], { stdio: "inherit" })
  if (status !== 0) throw new Error("effect-kafka could not be installed")
  return await import(new URL("consume.mjs", folder).href) as Peer
}

const running = (form: Form): Contender => async (task, progress) => {
  const peer = await load()
  await peer[form](task, progress, fetchSettings)
}

export const stream = running("stream")
export const handler = running("handler")
