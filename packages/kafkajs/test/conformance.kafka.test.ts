/** What every transport does, on a real Kafka. */
import { KafkaJs } from "@weft/kafkajs"
import * as Conformance from "@weft/testing/Conformance"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { brokers } from "../../../test-support/servers.ts"

describe("conformance", () => {
  for (const { name, run } of Conformance.behaviours) {
    it.live(
      name,
      () => run.pipe(Effect.provide([KafkaJs.layer({ brokers: brokers() }), Conformance.layerLive])),
      90_000
    )
  }
})
