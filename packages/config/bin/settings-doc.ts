/**
 * Writes the generated part of docs/configuration.md from the table of settings: `node packages/config/bin/settings-doc.ts`.
 * With `--sql` it prints the COMMENT ON COLUMN statements for a migration instead.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { updatePage } from "../src/internal/settingsMarkdown.ts"
import * as Setting from "../src/Setting.ts"

if (process.argv.includes("--sql")) {
  for (const key of Setting.keys) {
    const setting = Setting.get(key)
    console.log(
      `COMMENT ON COLUMN pipeline_consumer_configs.${setting.sql} IS\n  '${
        Setting.sqlComment(setting).replaceAll("'", "''")
      }';`
    )
  }
} else {
  const page = new URL("../../../docs/configuration.md", import.meta.url)
  writeFileSync(page, updatePage(readFileSync(page, "utf8")))
}
