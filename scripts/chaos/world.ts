/** The servers and the topics of a run. */
import * as SqlMigrator from "@weft/postgres/SqlMigrator"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { type Admin, type ISocketFactory, Kafka, logLevel } from "kafkajs"
import { createRequire } from "node:module"
import { connect } from "node:net"
import { startKafka } from "../servers/kafka.ts"
import type { KafkaServer } from "../servers/kafkaServer.ts"
import { type PostgresServer, startPostgres } from "../servers/postgres.ts"
import { waitUntil } from "../servers/waitUntil.ts"
import { setRow, withDatabase } from "./configRow.ts"

export interface Names {
  readonly input: string
  readonly output: string
  readonly deadLetters: string
  readonly group: string
  readonly service: string
}

export interface World {
  readonly kafka: KafkaServer
  readonly postgres: PostgresServer
  readonly databaseUrl: string
  readonly names: Names
  readonly client: Kafka
  readonly admin: Admin
  readonly stop: () => Promise<void>
}

interface RequestQueue {
  readonly pending: ReadonlyArray<unknown>
  scheduleCheckPendingRequests: () => void
}

/**
 * With nothing to wait for, kafkajs arms a timer for a time long ago again and again: it fires every millisecond on each
 * connection, and Node warns that its timeout is negative. (Our own transport sees to its own connections.)
 */
const restQueues = (): void => {
  const queue = createRequire(import.meta.url)("kafkajs/src/network/requestQueue") as {
    readonly prototype: RequestQueue
  }
  const schedule = queue.prototype.scheduleCheckPendingRequests
  queue.prototype.scheduleCheckPendingRequests = function(this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this)
  }
}
restQueues()

/**
 * kafkajs ends a connection anew with each attempt to reach a broker that is gone, and takes leave of its old socket each time:
 * of one that is destroyed, Node keeps that in mind for when it connects, and warns at the eleventh. (Our own transport
 * forgets sockets that are gone.)
 */
const socketFactory: ISocketFactory = ({ host, onConnect, port }) => {
  const socket = connect({ host, port }, onConnect).setKeepAlive(true, 60_000)
  const { unref } = socket
  socket.unref = () => socket.destroyed ? socket : unref.call(socket)
  return socket
}

export const clientOf = (brokers: ReadonlyArray<string>): Kafka =>
  new Kafka({
    brokers: [...brokers],
    socketFactory,
    clientId: "chaos",
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2_000,
    requestTimeout: 10_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 30 }
  })

/** Starts everything; what was started is in `started`, the latest last, also when this fails half-way. */
export const startWorld = async (
  options: {
    readonly nodes: number
    readonly partitions: number
    readonly row: Readonly<Record<string, string | number>>
  },
  started: Array<() => Promise<void>>
): Promise<World> => {
  const postgres = await startPostgres()
  started.push(postgres.stop)
  const kafka = await startKafka({ nodes: options.nodes })
  started.push(kafka.stop)

  const run = `chaos-${process.pid}-${Date.now().toString(36)}`
  const names: Names = {
    input: `${run}-in`,
    output: `${run}-out`,
    deadLetters: `${run}-dead`,
    group: `${run}-group`,
    service: `${run}-relay`
  }
  const databaseUrl = await postgres.createDatabase(run.replaceAll("-", "_"))
  await withDatabase(databaseUrl, Effect.provide(SqlMigrator.run(), Logger.layer([])))
  await setRow(databaseUrl, names.service, options.row)

  const client = clientOf(kafka.brokers)
  const admin = client.admin()
  await admin.connect()
  started.push(() => admin.disconnect())
  const topics = [names.input, names.output, names.deadLetters]
  await admin.createTopics({
    // kafkajs's own wait fails where the broker that it asks has not heard of a topic yet.
    waitForLeaders: false,
    topics: topics.map((topic) => ({
      topic,
      // The relay keeps a partition's records together: fewer partitions in the output are as good, and cheaper.
      numPartitions: topic === names.input ? options.partitions : Math.ceil(options.partitions / 4),
      // The broker's clock says when a record was written, also for one whose member was stopped meanwhile.
      configEntries: [{ name: "message.timestamp.type", value: "LogAppendTime" }]
    }))
  })
  await waitUntil({
    what: "the topics",
    timeoutMs: 120_000,
    isReady: async () => {
      const found = await admin.fetchTopicMetadata({ topics })
      return found.topics.every(({ partitions }) =>
        partitions.every(({ isr, leader }) => leader >= 0 && isr.length >= options.nodes)
      )
    },
    giveUp: () => {}
  })
  return { kafka, postgres, databaseUrl, names, client, admin, stop: () => stopAll(started) }
}

/** Stops what was started, the latest first, whatever fails. */
export const stopAll = async (started: Array<() => Promise<void>>): Promise<void> => {
  for (const stop of started.splice(0).reverse()) {
    await stop().catch((error: Error) => console.error(`while stopping: ${error.message}`))
  }
}
