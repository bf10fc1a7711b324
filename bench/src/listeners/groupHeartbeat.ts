import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from "@platformatic/kafka"

/** How often members of a group in the protocol of KIP-848 beat is what the broker tells them: so for this group. */
export const setGroupHeartbeat = async (
  brokers: ReadonlyArray<string>,
  group: string,
  heartbeatMs: number
): Promise<void> => {
  const admin = new Admin({ clientId: "bench", bootstrapBrokers: [...brokers] })
  await admin.incrementalAlterConfigs({
    resources: [{
      resourceType: ConfigResourceTypes.GROUP,
      resourceName: group,
      configs: [{
        name: "consumer.heartbeat.interval.ms",
        configOperation: IncrementalAlterConfigOperationTypes.SET,
        value: String(heartbeatMs)
      }]
    }]
  })
  await admin.close()
}
