/** Writes docs/cli.md from the command's help: `node packages/cli/bin/cli-doc.ts`. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { helpMarkdown } from "../src/internal/helpMarkdown.ts"
import * as Weft from "../src/Weft.ts"

const docs = await Effect.runPromise(Effect.provide(Weft.helpDocs, NodeServices.layer))
writeFileSync(new URL("../../../docs/cli.md", import.meta.url), helpMarkdown(docs))
