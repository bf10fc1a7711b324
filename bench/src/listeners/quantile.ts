/** Quantiles of samples that are all kept: exact, where a histogram's buckets would be as wide as what is compared. Pure. */

/** `sorted` rises. The least of the samples that a share `q` (0 to 1) of them does not exceed (by nearest rank). */
export const quantile = (sorted: ArrayLike<number>, q: number): number => {
  if (sorted.length === 0) throw new Error("there are no samples")
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!
}
