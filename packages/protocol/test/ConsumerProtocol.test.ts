import { assert, describe, it } from "@effect/vitest"
import * as TopicPartition from "@weft/kafka/TopicPartition"
import { AssignerProtocol } from "kafkajs"
import {
  assignmentOf,
  decodeAssignment,
  decodeMember,
  encodeAssignment,
  joinProtocols,
  strategyOf
} from "../src/ConsumerProtocol.ts"

const protocols = joinProtocols({
  strategy: "sticky",
  topics: ["u", "t"],
  owned: [TopicPartition.make("t", 0), TopicPartition.make("u", 3), TopicPartition.make("t", 7)],
  generation: 12
})

describe("ConsumerProtocol", () => {
  it("offers the configured strategy first, and the others behind it", () => {
    assert.deepStrictEqual(protocols.map(({ name }) => name), ["sticky", "range", "roundrobin", "RoundRobinAssigner"])
  })

  it("what one member says, another reads", () => {
    const member = decodeMember("m", protocols[0]!.metadata)
    assert.deepStrictEqual(member.topics, ["t", "u"])
    assert.deepStrictEqual([...member.owned], [["t", [0, 7]], ["u", [3]]])
    assert.strictEqual(member.ownedGeneration, 12)
  })

  it("strategies other than sticky claim nothing", () => {
    const member = decodeMember("m", protocols[1]!.metadata)
    assert.deepStrictEqual([member.owned.size, member.ownedGeneration], [0, -1])
  })

  it("user data that is none counts as none, and the topics are read all the same", () => {
    for (const userData of [Buffer.from([1, 2, 3]), Buffer.from("7fffffff", "hex"), Buffer.alloc(0)]) {
      const metadata = AssignerProtocol.MemberMetadata.encode({ version: 0, topics: ["t"], userData })
      const member = decodeMember("m", metadata)
      assert.deepStrictEqual([member.topics, member.owned.size], [["t"], 0])
    }
  })

  it("an assignment is read as it was written, and no bytes are no assignment", () => {
    const bytes = encodeAssignment(new Map([["t", [2, 0]], ["u", [1]]]))
    assert.deepStrictEqual(decodeAssignment(bytes), [
      { topic: "t", partition: 2 },
      { topic: "t", partition: 0 },
      { topic: "u", partition: 1 }
    ])
    assert.deepStrictEqual(decodeAssignment(Buffer.alloc(0)), [])
  })

  it("an assignment that is none of ours, as in a group of Kafka Connect, is looked at as none", () => {
    // Version 0, no error, and the leader by its name.
    const ofConnect = Buffer.from("00000000000a636f6e6e6563742d3132", "hex")
    assert.throws(() => decodeAssignment(ofConnect), RangeError)
    assert.deepStrictEqual(assignmentOf(ofConnect), [])
    const bytes = encodeAssignment(new Map([["t", [2]]]))
    assert.deepStrictEqual(assignmentOf(bytes), [{ topic: "t", partition: 2 }])
  })

  it("knows its strategies by Kafka's names", () => {
    assert.strictEqual(strategyOf("roundrobin"), "roundrobin")
    assert.strictEqual(strategyOf("RoundRobinAssigner"), "roundrobin")
    assert.strictEqual(strategyOf("cooperative-sticky"), undefined)
  })
})
