/**
 * The admin client of the in-memory transport.
 */
import { GroupError, type KafkaError } from "@weft/kafka/KafkaError"
import type { ConfigEntry, GroupDescription, TopicDescription, TransportAdmin } from "@weft/kafka/Transport"
import * as Effect from "effect/Effect"
import * as Codes from "./errorCodes.ts"
import type { Group } from "./groupModel.ts"
import * as Log from "./logModel.ts"
import * as Lookup from "./lookup.ts"
import * as Network from "./network.ts"
import * as Topics from "./topics.ts"
import * as World from "./world.ts"

const backoff = { retryBackoffMs: 100, maxMs: 1000 }

export const describeGroup = (groupId: string, group: Group | undefined): GroupDescription => ({
  groupId,
  // A group that nobody knows is dead, in Kafka's words.
  state: group?.state ?? "Dead",
  protocol: group?.protocol ?? "",
  members: [...group?.members.values() ?? []].map(({ assignment, clientId, host, memberId }) => ({
    memberId,
    clientId,
    host,
    assignment
  }))
})

export const make = Effect.fnUntraced(function*(world: World.World) {
  const { coordinator, network, topics } = world
  const client = Network.makeClient({ clientId: "admin" })
  network.register(client)
  yield* Effect.addFinalizer(() => Effect.sync(() => network.unregister(client)))

  const request = <A>(body: Effect.Effect<A, Network.RequestFailed>): Effect.Effect<A, Network.RequestFailed> =>
    World.retrying(world, backoff, 5, network.request(client, "admin", () => World.anyBroker(world), body))

  const ask = <A>(
    operation: string,
    body: () => A
  ): Effect.Effect<A, KafkaError> =>
    Effect.mapError(request(Effect.sync(body)), ({ code }) => Codes.adminError(operation, code))

  /** One of the parts was refused: the first refusal is the answer. */
  const orFail = (operation: string, topic: string, code: string | undefined): Effect.Effect<void, KafkaError> =>
    code === undefined ? Effect.void : Effect.fail(Codes.adminError(operation, code, topic))

  const groupOrFail = (groupId: string, code: string | undefined): Effect.Effect<void, KafkaError> =>
    code === undefined ? Effect.void : Effect.fail(Codes.groupError(groupId, code))

  const describeTopic = (topic: Topics.Topic): TopicDescription => ({
    name: topic.name,
    internal: false,
    partitions: topic.partitions.map(({ leader, partition, replicas }) => ({
      partition,
      leader,
      replicas,
      isr: replicas.filter((broker) => !network.isAway(broker))
    }))
  })

  const own = (name: string, value: number): ConfigEntry => ({
    name,
    value: String(value),
    isDefault: false,
    isSensitive: false,
    readOnly: true
  })
  const brokerConfigs: ReadonlyArray<ConfigEntry> = [
    own("group.min.session.timeout.ms", coordinator.limits.minSessionTimeoutMs),
    own("group.max.session.timeout.ms", coordinator.limits.maxSessionTimeoutMs),
    { name: "auto.create.topics.enable", value: "false", isDefault: false, isSensitive: false, readOnly: true },
    { name: "offset.metadata.max.bytes", value: "4096", isDefault: true, isSensitive: false, readOnly: true }
  ]

  const admin: TransportAdmin = {
    describeCluster: ask("describeCluster", () => ({
      clusterId: "memory",
      controller: World.anyBroker(world),
      brokers: Array.from({ length: world.brokers }, (_, id) => ({ id, host: "memory", port: 9092 + id }))
        .filter(({ id }) => !network.isAway(id))
    })),
    listTopics: ask("listTopics", () => [...topics.all.keys()].sort()),
    describeTopics: (names) =>
      Effect.flatMap(
        ask("describeTopics", () => names.map((name) => topics.all.get(name))),
        (found) =>
          Effect.forEach(found, (topic, i) =>
            topic === undefined
              ? Effect.fail(Codes.adminError("describeTopics", "UNKNOWN_TOPIC_OR_PARTITION", names[i]!))
              : Effect.succeed(describeTopic(topic)))
      ),
    createTopics: (wanted) =>
      Effect.flatMap(ask("createTopics", () => wanted.map((topic) => topics.create(topic))), (codes) =>
        Effect.as(
          Effect.forEach(codes, (code, i) =>
            orFail("createTopics", wanted[i]!.name, code === "TOPIC_ALREADY_EXISTS" ? undefined : code), {
            discard: true
          }),
          codes.some((code) =>
            code === undefined
          )
        )),
    deleteTopics: (names) =>
      Effect.flatMap(
        ask("deleteTopics", () =>
          names.map((name) => {
            const code = topics.remove(name)
            if (code === undefined) coordinator.forgetTopic(name)
            return code
          })),
        (codes) => Effect.forEach(codes, (code, i) => orFail("deleteTopics", names[i]!, code), { discard: true })
      ),
    createPartitions: (topic, count) =>
      Effect.flatMap(
        ask("createPartitions", () => topics.addPartitions(topic, count)),
        (code) => orFail("createPartitions", topic, code)
      ),
    describeConfigs: (resource) =>
      resource._tag === "Broker"
        ? ask("describeConfigs", () => brokerConfigs)
        : Effect.flatMap(ask("describeConfigs", () => topics.all.get(resource.name)), (topic) =>
          topic === undefined
            ? Effect.fail(Codes.adminError("describeConfigs", "UNKNOWN_TOPIC_OR_PARTITION", resource.name))
            : Effect.succeed(Topics.configEntries(topic))),
    alterConfigs: (resource, configs) =>
      resource._tag === "Broker"
        ? Effect.fail(Codes.adminError("alterConfigs", "INVALID_CONFIG"))
        : Effect.flatMap(
          ask("alterConfigs", () => topics.configure(resource.name, configs)),
          (code) => orFail("alterConfigs", resource.name, code)
        ),
    listGroups: ask(
      "listGroups",
      () => coordinator.groups().map(({ groupId }) => ({ groupId, protocolType: "consumer" }))
    ),
    describeGroups: (groups) =>
      ask("describeGroups", () => groups.map((id) => describeGroup(id, coordinator.group(id)))),
    deleteGroups: (groups) =>
      Effect.flatMap(
        ask("deleteGroups", () => groups.map((id) => coordinator.remove(id))),
        (codes) => Effect.forEach(codes, (code, i) => groupOrFail(groups[i]!, code), { discard: true })
      ),
    committedOffsets: (group, names) =>
      ask("committedOffsets", () =>
        [...coordinator.offsets(group).values()]
          .filter(({ topic }) => names === undefined || names.includes(topic))),
    setOffsets: (group, offsets) =>
      Effect.flatMap(
        ask("setOffsets", () => {
          if ((coordinator.group(group)?.members.size ?? 0) > 0) return ["NON_EMPTY_GROUP"]
          const nobody = { memberId: "", generation: -1 }
          const plain = offsets.map(({ offset, partition, topic }) => ({ topic, partition, offset, metadata: "" }))
          return coordinator.commit(group, nobody, plain, (topic, partition) =>
            topics.get(topic, partition) !== undefined)
        }),
        (codes) => {
          const at = codes.findIndex((code) =>
            code !== undefined
          )
          if (at < 0) {
            return Effect.void
          }
          const { partition, topic } = offsets[at]!
          return codes[at] === "UNKNOWN_TOPIC_OR_PARTITION"
            ? Effect.fail(Codes.adminError("setOffsets", codes[at], topic, partition))
            : Effect.fail(new GroupError({ groupId: group, code: codes[at]!, cause: codes[at] }))
        }
      ),
    listOffsets: (partitions, at) => Lookup.listOffsets(world, partitions, at, request),
    deleteRecords: (offsets) =>
      Effect.flatMap(
        ask("deleteRecords", () =>
          offsets.map(({ offset, partition, topic }) => {
            const known = topics.get(topic, partition)
            if (known === undefined) return "UNKNOWN_TOPIC_OR_PARTITION"
            if (!Log.deleteBefore(known.log, offset === -1n ? known.log.end : offset)) return "OFFSET_OUT_OF_RANGE"
            topics.notify(known)
            return undefined
          })),
        (codes) =>
          Effect.forEach(codes, (code, i) =>
            code === undefined
              ? Effect.void
              : Effect.fail(Codes.adminError("deleteRecords", code, offsets[i]!.topic, offsets[i]!.partition)), {
            discard: true
          })
      )
  }
  return admin
})
