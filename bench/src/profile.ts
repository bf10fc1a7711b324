/** The functions that a CPU profile of V8 found at work most often. Pure. */

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
}

export interface CpuProfile {
  readonly nodes: ReadonlyArray<ProfileNode>
  readonly samples: ReadonlyArray<number>
  readonly timeDeltas: ReadonlyArray<number>
}

export interface Heavy {
  readonly where: string
  /** Of the time that the process was at work, itself and not in what it called. */
  readonly share: number
}

const placeOf = ({ functionName, lineNumber, url }: ProfileNode["callFrame"]): string => {
  const name = functionName === "" ? "(anonymous)" : functionName
  const file = url.replace(/^.*\/node_modules\//, "").replace(/^.*\/(?=packages\/|bench\/)/, "").replace(
    /^file:\/\//,
    ""
  )
  return file === "" ? name : `${name} ${file}:${lineNumber + 1}`
}

const isAtWork = (where: string): boolean => where !== "(idle)" && where !== "(root)" && where !== "(program)"

export const heaviest = ({ nodes, samples, timeDeltas }: CpuProfile, most: number): ReadonlyArray<Heavy> => {
  const placeById = new Map(nodes.map(({ callFrame, id }) => [id, placeOf(callFrame)]))
  const times = new Map<string, number>()
  samples.forEach((id, i) => {
    const where = placeById.get(id) ?? "(unknown)"
    times.set(where, (times.get(where) ?? 0) + (timeDeltas[i] ?? 0))
  })
  const atWork = [...times].filter(([where]) => isAtWork(where))
  const total = atWork.reduce((sum, [, time]) => sum + time, 0)
  return atWork.sort(([, a], [, b]) => b - a).slice(0, most).map(([where, time]) => ({ where, share: time / total }))
}
