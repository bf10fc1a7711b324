/** What every transport does, on a real Kafka, in both group protocols. */
import { describe, it } from "@effect/vitest"
import type { GroupProtocol } from "@weft/kafka/ConsumerSettings"
import { Transport } from "@weft/kafka/Transport"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Conformance from "@weft/testing/Conformance"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { brokers } from "../../../test-support/servers.ts"

/** The behaviours leave the protocol open. */
const speaking = (groupProtocol: GroupProtocol) =>
  Layer.effect(
    Transport,
    Effect.map(Transport, (transport): Transport["Service"] => ({
      ...transport,
      consumer: ({ settings, ...options }) =>
        transport.consumer({ ...options, settings: { ...settings, groupProtocol } })
    }))
  )

for (const groupProtocol of ["classic", "consumer"] as const) {
  describe(`conformance, group.protocol=${groupProtocol}`, () => {
    const platformatic = Layer.provide(speaking(groupProtocol), Platformatic.layer({ brokers: brokers() }))
    for (const { name, onlyClassic, run } of Conformance.behaviours) {
      if (onlyClassic && groupProtocol !== "classic") continue
      it.live(name, () => run.pipe(Effect.provide([platformatic, Conformance.layerLive])), 240_000)
    }
  })
}
