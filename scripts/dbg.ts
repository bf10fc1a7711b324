import * as Simulation from "@weft/testing/Simulation"
import * as Effect from "effect/Effect"
const r = await Effect.runPromise(Simulation.run({ seed: process.argv[2]!, faults: process.argv[3] as any }))
console.log(r.story.join("\n"))
console.log(r.violations.length, r.violations.slice(-3), r.virtualMs)
