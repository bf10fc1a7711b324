import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { SteadyFlow } from "./steadyProducer.ts"

/** Starts the steady producer, and ends when all of its records are acknowledged. It ends by itself, whatever becomes of us. */
export const steadyFlow = async (flow: SteadyFlow): Promise<void> => {
  const program = fileURLToPath(new URL("steadyProducer.ts", import.meta.url))
  await promisify(execFile)(process.execPath, [program, JSON.stringify(flow)])
}
