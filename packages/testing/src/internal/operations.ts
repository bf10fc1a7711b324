/**
 * What may befall a cluster, carried out on its parts.
 */
import type { Fault, FaultPlan, Target } from "../FaultPlan.ts"
import type { Partition } from "./topics.ts"
import { anyBroker, type World } from "./world.ts"

export const expireSession = ({ coordinator, network }: World, target: Target): void => {
  for (const { groupId, memberId } of network.find(target)) {
    if (groupId !== undefined && memberId !== "") coordinator.expire(groupId, memberId)
  }
}

export const freeze = ({ network }: World, target: Target): void => {
  for (const client of network.find(target)) client.awake.closeUnsafe()
}

export const thaw = ({ network, timers }: World, target: Target): void => {
  for (const client of network.find(target)) timers.defer(() => client.awake.openUnsafe())
}

export const crash = ({ network }: World, target: Target): void => {
  for (const client of network.find(target)) client.crash()
}

export const moveCoordinator = (world: World, groupId: string, loadMs: number): void => {
  const { brokers, coordinator, network } = world
  let next = (coordinator.brokerOf(groupId) + 1) % brokers
  for (let i = 0; i < brokers && network.isAway(next); i++) next = (next + 1) % brokers
  coordinator.move(groupId, next, loadMs)
}

/** The next replica that answers leads; its epoch is new also where it is the same one. */
const elect = ({ network, topics }: World, partition: Partition, not: number): void => {
  const alive = partition.replicas.filter((broker) => !network.isAway(broker))
  partition.leader = alive.find((broker) => broker !== not) ?? alive[0] ?? -1
  partition.log.leaderEpoch++
  topics.notify(partition)
}

export const changeLeader = (world: World, topic: string, partition: number): void => {
  const found = world.topics.get(topic, partition)
  if (found !== undefined) elect(world, found, found.leader)
}

export const brokerAway = (world: World, broker: number, ms: number): void => {
  const { coordinator, network, timers, topics } = world
  network.setAway(broker, true)
  const led = [...topics.all.values()].flatMap((topic) => topic.partitions).filter((p) => p.leader === broker)
  for (const partition of led) elect(world, partition, broker)
  for (const { groupId } of coordinator.groups()) {
    // Alone, it takes its groups with it: nobody is asked, and no session expires, until it is back.
    if (coordinator.brokerOf(groupId) !== broker) continue
    coordinator.move(groupId, anyBroker(world), anyBroker(world) === broker ? ms : 0)
  }
  timers.at(timers.now() + ms, () => {
    network.setAway(broker, false)
    for (const topic of topics.all.values()) {
      for (const partition of topic.partitions) {
        if (partition.leader === -1 && partition.replicas.includes(broker)) elect(world, partition, -1)
        else topics.notify(partition)
      }
    }
  })
}

const befall = (world: World, fault: Fault): void => {
  switch (fault._tag) {
    case "Request":
      return world.network.arm(fault)
    case "Freeze": {
      // Whoever was frozen is thawed, also if the target would then fit another.
      const frozen = world.network.find(fault.target)
      for (const client of frozen) client.awake.closeUnsafe()
      world.timers.at(world.timers.now() + fault.ms, () => {
        for (const client of frozen) client.awake.openUnsafe()
      })
      return
    }
    case "Crash":
      return crash(world, fault.target)
    case "ExpireSession":
      return expireSession(world, fault.target)
    case "BrokerAway":
      return brokerAway(world, fault.broker, fault.ms)
    case "LeaderChange":
      return changeLeader(world, fault.topic, fault.partition)
    case "CoordinatorMove":
      return moveCoordinator(world, fault.groupId, fault.loadMs)
  }
}

export const apply = (world: World, plan: FaultPlan): void => {
  const { timers } = world
  const begin = timers.now()
  for (const { atMs, fault } of plan.steps) {
    if (atMs <= 0) befall(world, fault)
    else timers.at(begin + atMs, () => befall(world, fault))
  }
}
