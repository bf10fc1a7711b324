/** How records are handed to a producer, and how much of it is under way at once. Pure. */

/** Records that were sent and not acknowledged yet. */
export const underWay = 4_000

export interface Sends {
  readonly recordsPerSend: number
}

export const together: Sends = { recordsPerSend: 500 }
export const oneByOne: Sends = { recordsPerSend: 1 }

export const sendsUnderWay = ({ recordsPerSend }: Sends): number => underWay / recordsPerSend

/** The sizes of the sends, one after the other, for all who take from it. */
export const makeSizes = (records: number, { recordsPerSend }: Sends): () => number => {
  let left = records
  return () => {
    const size = Math.min(recordsPerSend, left)
    left -= size
    return size
  }
}
