/**
 * The versions of requests that are made. Each is the first that says what is needed here, so that old brokers are
 * answered, too; all of them are known since Kafka 2.6.
 */
import {
  createPartitionsV2,
  createTopicsV5,
  deleteGroupsV2,
  deleteRecordsV2,
  deleteTopicsV4,
  describeConfigsV3,
  describeGroupsV5,
  findCoordinatorV3,
  heartbeatV4,
  incrementalAlterConfigsV1,
  initProducerIdV3,
  joinGroupV7,
  leaveGroupV4,
  listGroupsV4,
  listOffsetsV5,
  metadataV9,
  offsetCommitV8,
  offsetFetchV7,
  syncGroupV5
} from "@platformatic/kafka"

interface Version {
  readonly key: number
  readonly version: number
}

/** What a broker must know. */
export const needed: { readonly since: string; readonly apis: ReadonlyArray<Version> } = {
  since: "2.6",
  apis: [
    createPartitionsV2.api,
    createTopicsV5.api,
    deleteGroupsV2.api,
    deleteRecordsV2.api,
    deleteTopicsV4.api,
    describeConfigsV3.api,
    describeGroupsV5.api,
    findCoordinatorV3.api,
    heartbeatV4.api,
    incrementalAlterConfigsV1.api,
    initProducerIdV3.api,
    joinGroupV7.api,
    leaveGroupV4.api,
    listGroupsV4.api,
    listOffsetsV5.api,
    metadataV9.api,
    offsetCommitV8.api,
    offsetFetchV7.api,
    syncGroupV5.api
  ]
}
