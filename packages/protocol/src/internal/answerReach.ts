/**
 * How many partitions to ask a broker for at once. An answer is full long before it comes to the last of a thousand
 * partitions that have much to give: asking for all of them, and reading that most have nothing, costs more than their
 * records do. Who was full is asked for a few more partitions than the answer came to; the others' turn comes, since those
 * that got something are asked for last. State, without effects.
 */

/** As many are asked for at least. */
const smallest = 16

/** So many times as far as the last answer came: how much the next partitions have, nobody knows. */
const ahead = 2

/** An answer with so large a part of what it may have could not have much more. */
const full = 0.5

export class AnswerReach {
  /** By node, where its last answer was full. */
  private readonly reached = new Map<number, number>()

  /** For the next request; all partitions, unless the last answer shows that a part of them is enough. */
  readonly most = (node: number | undefined): number => {
    const reached = node === undefined ? undefined : this.reached.get(node)
    return reached === undefined ? Infinity : Math.max(smallest, reached * ahead)
  }

  /** What was known is used up: whatever becomes of the request, all are asked for unless its answer says more. */
  asked(node: number): void {
    this.reached.delete(node)
  }

  /** `partitions` as the broker filled them; `share`: how much of what the answer may have it has. */
  answered(node: number, partitions: ReadonlyArray<{ readonly bytes: number }>, share: number): void {
    if (share >= full) this.reached.set(node, partitions.findLastIndex(({ bytes }) => bytes > 0) + 1)
  }
}
