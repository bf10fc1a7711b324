/**
 * `npm run fuzz -- --inputs 1000000 --seed 1`: damaged answers of a broker for the decoder of record batches. Ends with the
 * seed of the first one of which something does not hold; the same seed is the same input.
 */
import { parseArgs } from "node:util"
import { fuzz } from "../packages/kafka/test/fuzz.ts"
import { wholeNumber } from "./servers/wholeNumber.ts"

const { values } = parseArgs({
  options: { inputs: { type: "string", default: "1000000" }, seed: { type: "string", default: "1" } }
})
const inputs = wholeNumber("--inputs", values.inputs, 1, 1_000_000_000)
const seed = wholeNumber("--seed", values.seed, 0, 2 ** 32 - 1)

const started = performance.now()
const report = fuzz({ seed, inputs })
const seconds = (performance.now() - started) / 1000
console.log(
  `${inputs} inputs from seed ${seed} in ${seconds.toFixed(0)} s: ${JSON.stringify(report.ends)}, ` +
    `${report.records} records; the slowest took ${report.slowestMs.toFixed(1)} ms`
)
