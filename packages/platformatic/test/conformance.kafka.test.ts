/** What every transport does, on a real Kafka, in both group protocols. */
import { describe, it } from "@effect/vitest"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Conformance from "@weft/testing/Conformance"
import * as Effect from "effect/Effect"
import { brokers } from "../../../test-support/servers.ts"

for (const groupProtocol of ["classic", "consumer"] as const) {
  describe(`conformance, group.protocol=${groupProtocol}`, () => {
    const platformatic = Platformatic.layer({ brokers: brokers(), groupProtocol })
    for (const { name, onlyClassic, run } of Conformance.behaviours) {
      if (onlyClassic && groupProtocol !== "classic") continue
      it.live(name, () => run.pipe(Effect.provide([platformatic, Conformance.layerLive])), 90_000)
    }
  })
}
