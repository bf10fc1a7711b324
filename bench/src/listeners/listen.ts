/**
 * A listener in a process of its own, started by `listenElsewhere`: it tells its parent what it sees, and leaves when it is
 * told to, or when the parent is gone.
 */
import { once } from "node:events"
import { isListener, listeners } from "./byName.ts"
import type { Arrival } from "./pauses.ts"
import { decode } from "./steadyRecord.ts"

/** Times are of the machine's monotonic clock (`process.hrtime`). */
export type Told =
  | { readonly _tag: "Loaded"; readonly atNs: bigint }
  | { readonly _tag: "Assigned"; readonly atNs: bigint }
  | { readonly _tag: "First"; readonly atNs: bigint }
  | { readonly _tag: "Left"; readonly arrivals: ReadonlyArray<Arrival> }

export interface ListenTask {
  readonly brokers: ReadonlyArray<string>
  readonly topic: string
  readonly group: string
  /**
   * It joins when it is told to, and not as soon as it is loaded; its records are those of the steady producer, and all that
   * arrive are told of in the end.
   */
  readonly steady: boolean
}

const tell = (told: Told): void => {
  process.send!(told)
}

const [name = "", given = "{}"] = process.argv.slice(2)
if (!isListener(name)) throw new Error(`there is no listener ${name}`)
const { brokers, group, steady, topic } = JSON.parse(given) as ListenTask
process.once("disconnect", () => process.exit(1))

const listen = await listeners[name]()
tell({ _tag: "Loaded", atNs: process.hrtime.bigint() })
if (steady) await once(process, "message")
const arrivals: Array<Arrival> = []
let seen = 0
await listen({
  brokers,
  topic,
  group,
  until: once(process, "message").then(() => {}),
  onAssigned: () => tell({ _tag: "Assigned", atNs: process.hrtime.bigint() }),
  onRecord: (value, partition) => {
    const atNs = process.hrtime.bigint()
    if (seen++ === 0) tell({ _tag: "First", atNs })
    if (steady) arrivals.push({ index: decode(value).index, partition, atNs })
  }
})
process.send!({ _tag: "Left", arrivals } satisfies Told, () => process.exit(0))
