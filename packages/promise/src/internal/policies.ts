/** Failure policies as pipelines have them. Pure. */
import * as FailurePolicy from "@weft/pipeline/FailurePolicy"
import type { FailurePolicies, FailurePolicy as Policy } from "../ConsumerOptions.ts"

const final = { "dead-letter": FailurePolicy.deadLetter, skip: FailurePolicy.skip, halt: FailurePolicy.halt }

const policy = (given: Policy): FailurePolicy.FailurePolicy =>
  typeof given === "string" ? final[given] : FailurePolicy.retry({ attempts: given.attempts, finally: given.finally })

/** A name that is no error's is harmless: no failure ever has it. */
export const policies = (given: FailurePolicies = {}): Readonly<Record<string, FailurePolicy.FailurePolicy>> =>
  Object.fromEntries(
    Object.entries(given).flatMap(([name, one]) => one === undefined ? [] : [[name, policy(one)]])
  )
