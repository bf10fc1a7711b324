/** Writes the table of metrics in docs/monitoring.md: `node packages/pipeline/bin/metrics-doc.ts`. */
import { readFileSync, writeFileSync } from "node:fs"
import { updatePage } from "../src/internal/metricsMarkdown.ts"

const page = new URL("../../../docs/monitoring.md", import.meta.url)
writeFileSync(page, updatePage(readFileSync(page, "utf8")))
