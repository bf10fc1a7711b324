/** What the tests on a secured broker share. */
import * as Settings from "@weft/kafka/ConsumerSettings"
import type { InvalidSettingError, KafkaError } from "@weft/kafka/KafkaError"
import type { ProducerSettings, Transport } from "@weft/kafka/Transport"
import * as KafkaJs from "@weft/kafkajs/KafkaJs"
import * as Platformatic from "@weft/platformatic/Platformatic"
import * as Probe from "@weft/testing/Probe"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } from "kafkajs"
import { Buffer } from "node:buffer"
import { setTimeout } from "node:timers/promises"
import type * as ConnectionSettings from "../../src/ConnectionSettings.ts"

export const transports: ReadonlyArray<{
  readonly name: string
  readonly layer: (
    settings: ConnectionSettings.ConnectionSettings
  ) => Layer.Layer<Transport, InvalidSettingError>
  readonly layerConfig: Layer.Layer<Transport, InvalidSettingError>
  readonly groupProtocols: ReadonlyArray<"classic" | "consumer">
}> = [
  { name: "kafkajs", layer: KafkaJs.layer, layerConfig: KafkaJs.layerConfig, groupProtocols: ["classic"] },
  {
    name: "platformatic",
    layer: Platformatic.layer,
    layerConfig: Platformatic.layerConfig,
    groupProtocols: ["classic", "consumer"]
  }
]

export const withPassword = (
  mechanism: "plain" | "scram-sha-256" | "scram-sha-512",
  username: string,
  password: string
): ConnectionSettings.Sasl => ({ mechanism, username, password: Redacted.make(password) })

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")

/** A token that nobody has signed, good for so long from now on. */
export const unsecuredToken = (subject: string, forSeconds: number): string => {
  const now = Math.floor(Date.now() / 1000)
  return `${part({ alg: "none" })}.${part({ sub: subject, iat: now - 100, exp: now + forSeconds })}.`
}

export const withToken = (token: () => string): ConnectionSettings.Sasl => ({
  mechanism: "oauthbearer",
  token: Effect.sync(() => Redacted.make(token()))
})

export const producerSettings: ProducerSettings = {
  clientId: "secured-test",
  acks: -1,
  enableIdempotence: true,
  compressionType: "none",
  requestTimeoutMs: 30_000,
  retryBackoffMs: 50,
  // A broker that is started again on a busy machine takes its time.
  deliveryTimeoutMs: 120_000
}

export const record = (value: number) => ({ key: null, value: Buffer.from(String(value)), headers: [] })

export const member = (
  topic: string,
  groupId: string,
  options: Pick<Probe.ProbeOptions, "beforeRevoke"> & Pick<Partial<Settings.ConsumerSettings>, "groupProtocol"> = {}
) =>
  Probe.open({
    subscription: { _tag: "Topics", topics: [topic] },
    beforeRevoke: options.beforeRevoke,
    settings: Settings.make({
      groupId,
      groupProtocol: options.groupProtocol ?? "classic",
      sessionTimeoutMs: 120_000,
      heartbeatIntervalMs: 300,
      maxPollIntervalMs: 60_000,
      fetchMaxWaitMs: 200
    })
  })

export const numbersOf = (probe: Probe.Probe): ReadonlyArray<number> =>
  probe.records.map(({ value }) => Number(Buffer.from(value!).toString()))

/** Waits until it holds; the test's own timeout ends it. */
export const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function*() {
    while (!holds()) yield* Effect.sleep(20)
  })

/** How `run` failed. */
export const failureOf = (probe: Probe.Probe): KafkaError | undefined => {
  const exit = probe.ended()
  return exit !== undefined && Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
}

interface Acl {
  readonly user: string
  readonly resource: "topic" | "group"
  readonly name: string
  readonly operation: "read" | "write" | "describe"
}

const resourceTypes = { topic: AclResourceTypes.TOPIC, group: AclResourceTypes.GROUP }
const operations = {
  read: AclOperationTypes.READ,
  write: AclOperationTypes.WRITE,
  describe: AclOperationTypes.DESCRIBE
}

/** By the listener that lets everybody do everything. */
const asAdmin = <A>(brokers: ReadonlyArray<string>, use: (admin: ReturnType<Kafka["admin"]>) => Promise<A>) =>
  Effect.promise(async () => {
    const admin = new Kafka({ brokers: [...brokers], connectionTimeout: 30_000, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    try {
      return await use(admin)
    } finally {
      await admin.disconnect()
    }
  })

const entryOf = ({ name, operation, resource, user }: Acl) => ({
  principal: `User:${user}`,
  host: "*",
  permissionType: AclPermissionTypes.ALLOW,
  operation: operations[operation],
  resourceType: resourceTypes[resource],
  resourceName: name,
  resourcePatternType: ResourcePatternTypes.LITERAL
})

/** A broker hears of a change a moment after it was made. */
const untilTold = async (isTold: () => Promise<boolean>): Promise<void> => {
  while (!(await isTold().catch(() => false))) await setTimeout(20)
}

export const allow = (brokers: ReadonlyArray<string>, acls: ReadonlyArray<Acl>) =>
  asAdmin(brokers, async (admin) => {
    await admin.createAcls({ acl: acls.map(entryOf) })
    for (const acl of acls) {
      await untilTold(() => admin.describeAcls(entryOf(acl)).then(({ resources }) => resources.length > 0))
    }
  })

export const disallow = (brokers: ReadonlyArray<string>, acls: ReadonlyArray<Acl>) =>
  asAdmin(brokers, (admin) => admin.deleteAcls({ filters: acls.map(entryOf) }))

export const createTopic = (brokers: ReadonlyArray<string>, topic: string, numPartitions = 1) =>
  asAdmin(brokers, async (admin) => {
    await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false })
    await untilTold(() =>
      admin.fetchTopicMetadata({ topics: [topic] }).then(({ topics }) =>
        topics[0]!.partitions.every(({ leader }) => leader >= 0)
      )
    )
  })
