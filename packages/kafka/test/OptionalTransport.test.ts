import { assert, describe, it } from "@effect/vitest"
import { InvalidSettingError } from "@weft/kafka/KafkaError"
import * as OptionalTransport from "@weft/kafka/OptionalTransport"
import { Transport } from "@weft/kafka/Transport"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"

const found = (load: () => Promise<Layer.Layer<Transport, InvalidSettingError>>) =>
  Effect.exit(Effect.provide(
    Effect.map(Transport, ({ name }) => name),
    OptionalTransport.layer({ name: "other", package: "@weft/other", load })
  ))

describe("OptionalTransport", () => {
  it.effect("is that of the package, where it is installed", () =>
    Effect.gen(function*() {
      const named = Layer.succeed(Transport, { name: "other" } as Transport["Service"])
      assert.deepStrictEqual(yield* found(() => Promise.resolve(named)), Exit.succeed("other"))
    }))

  it.effect("says what to install, where it is not", () =>
    Effect.gen(function*() {
      const missing: string = "@weft/there-is-no-such-package"
      const exit = yield* found(() => import(missing) as Promise<never>)
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, InvalidSettingError)
      assert.strictEqual(
        error.message,
        "transport: other needs a package that is not installed here: npm install @weft/other"
      )
    }))

  it.effect("a package that fails by itself is a defect", () =>
    Effect.gen(function*() {
      const broken = new Error("broken")
      const exit = yield* found(() => Promise.reject(broken))
      assert.deepStrictEqual(exit, Exit.die(broken))
    }))
})
