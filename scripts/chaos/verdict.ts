/** What can only be said at the end: is anything lost, and did any fault cost more than it may? Pure. */
import type { Blame } from "./blame.ts"
import type { Ledger } from "./ledger.ts"

/** `ends`: how many records each partition of the input has. */
export const verdict = (ledger: Ledger, blame: Blame, ends: ReadonlyArray<number>): ReadonlyArray<string> => [
  ...ends.flatMap((end, partition) => {
    const missing = ledger.missing(partition, 0, end)
    const promised = ledger.acknowledgedEnd(partition)
    return [
      ...(missing.length > 0 ? [`lost: partition ${partition} lacks ${missing.join(", ")}`] : []),
      ...(promised > end
        ? [`the input's partition ${partition} ends at ${end}, but ${promised} were acknowledged`]
        : [])
    ]
  }),
  ...blame.faults.flatMap((fault) => {
    const bound = blame.bound(fault)
    return fault.repeats > bound ? [`duplicates: ${fault.what} repeated ${fault.repeats}, its bound is ${bound}`] : []
  })
]
