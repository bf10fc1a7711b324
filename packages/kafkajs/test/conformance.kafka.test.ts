/** What every transport does, on a real Kafka, whoever decodes the records. */
import { KafkaJs } from "@weft/kafkajs"
import * as Conformance from "@weft/testing/Conformance"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { brokers } from "../../../test-support/servers.ts"

for (const decoder of ["weft", "kafkajs"] as const) {
  describe(`conformance, decoded by ${decoder}`, () => {
    const kafkajs = KafkaJs.layer({ brokers: brokers(), decoder })
    for (const { name, run } of Conformance.behaviours) {
      it.live(name, () => run.pipe(Effect.provide([kafkajs, Conformance.layerLive])), 240_000)
    }
  })
}
