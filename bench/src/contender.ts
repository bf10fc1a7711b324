/** One contender's run in a process of its own; what came of it is one line of JSON. Started by main.ts. */
import { Progress } from "./contenders/Contender.ts"
import { contenders, isContender } from "./contenders/byName.ts"

const [name = "", brokers = "", topic = "", group = "", records = ""] = process.argv.slice(2)
if (!isContender(name)) throw new Error(`there is no contender ${name}`)

const run = await contenders[name]()
const progress = new Progress(Number(records))
await run({ brokers: brokers.split(","), topic, group, records: Number(records) }, progress)
console.log(JSON.stringify(progress.result()))
process.exit(0)
