/** What every transport does, on a real Kafka. */
import { describe, it } from "@effect/vitest"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Conformance from "@weft/testing/Conformance"
import * as Effect from "effect/Effect"
import { brokers } from "../../../test-support/servers.ts"

describe("conformance", () => {
  const platformatic = Platformatic.layer({ brokers: brokers() })
  for (const { name, run } of Conformance.behaviours) {
    it.live(name, () => run.pipe(Effect.provide([platformatic, Conformance.layerLive])), 90_000)
  }
})
