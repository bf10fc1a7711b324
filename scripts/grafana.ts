/** Writes docs/grafana: `node scripts/grafana.ts`. */
import { mkdirSync, writeFileSync } from "node:fs"
import { files } from "./grafana/files.ts"

const folder = new URL("../docs/grafana/", import.meta.url)
mkdirSync(folder, { recursive: true })
for (const { name, text } of files) writeFileSync(new URL(name, folder), text)
