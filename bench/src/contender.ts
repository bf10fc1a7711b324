/** One contender's run in a process of its own; what came of it is one line of JSON. Started by main.ts. */
import { Progress, type Task } from "./contenders/Contender.ts"
import { contenders, isContender } from "./contenders/byName.ts"

const [name = "", given = "{}"] = process.argv.slice(2)
if (!isContender(name)) throw new Error(`there is no contender ${name}`)
const task = JSON.parse(given) as Task

const run = await contenders[name]()
const progress = new Progress(task.records)
const told = await run(task, progress)
console.log(JSON.stringify(told ?? progress.result()))
process.exit(0)
