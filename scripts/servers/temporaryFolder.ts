import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { guard } from "./guard.ts"

export interface TemporaryFolder {
  readonly path: string
  readonly remove: () => Promise<void>
}

/** A folder that is gone when this process is. */
export const temporaryFolder = async (prefix: string): Promise<TemporaryFolder> => {
  const path = await mkdtemp(join(tmpdir(), prefix))
  const release = guard({ kind: "folder", path })
  return {
    path,
    remove: async () => {
      await rm(path, { recursive: true, force: true, maxRetries: 10 })
      release()
    }
  }
}
