import { fetchSettings } from "./Contender.ts"

/** Batches of 500, as the high-volume profile has them; the fetch settings are those of the others. */
export const weftSettings = {
  maxPollRecords: 500,
  fetchMinBytes: fetchSettings.minBytes,
  fetchMaxWaitMs: fetchSettings.maxWaitMs,
  fetchMaxBytes: fetchSettings.maxBytes,
  maxPartitionFetchBytes: fetchSettings.maxBytesPerPartition
}
