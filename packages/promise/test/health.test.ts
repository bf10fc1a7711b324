import { createOptimizedConsumer, createTestCluster, InvalidOptionError } from "@weft/promise"
import type { ConsumerOptions } from "@weft/promise/ConsumerOptions"
import type { TestCluster } from "@weft/promise/TestCluster"
import { connect } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { assert, describe, it } from "vitest"
import { portsFrom } from "../../../scripts/servers/ports.ts"

/** None that the system gives to others in the meantime. */
const freePort = (): Promise<number> => portsFrom(undefined, 1).then(([port]) => port!)

const make = (cluster: TestCluster, options: Partial<ConsumerOptions<unknown, string>>) =>
  createOptimizedConsumer({
    connection: cluster.connection,
    service: "orders-service",
    topics: ["orders"],
    logger: false,
    stopOn: false,
    ...options
  })

const ask = async (port: number, path: string, method = "GET") => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers: { connection: "close" } })
  return { status: response.status, body: await response.text() }
}

const statuses = (port: number) =>
  Promise.all(["started", "ready", "live"].map((probe) => ask(port, `/health/${probe}`).then(({ status }) => status)))

const until = async (what: string, isTrue: () => Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 2_500; i++) {
    if (await isTrue()) return
    await sleep(20)
  }
  assert.fail(`it never came to ${what}`)
}

describe("the option health", () => {
  it("answers the probes from when the consumer is made until it is closed", async () => {
    const cluster = await createTestCluster({ topics: { orders: 1 } })
    const port = await freePort()
    const consumer = await make(cluster, { health: { port, host: "127.0.0.1" } })
    assert.deepStrictEqual(await statuses(port), [503, 503, 200])
    const running = consumer.run({ eachRecord: () => undefined })
    await until("ready", async () => (await ask(port, "/health/ready")).status === 200)
    assert.deepStrictEqual(await statuses(port), [200, 200, 200])
    assert.deepInclude(JSON.parse((await ask(port, "/health/ready")).body), {
      status: "ok",
      pipelines: [{ service: "orders-service", started: true, ready: true, live: true, stalled: [] }]
    })
    assert.deepStrictEqual(await ask(port, "/health/live", "HEAD"), { status: 200, body: "" })
    assert.match((await ask(port, "/metrics")).body, /^# TYPE /m)
    await consumer.close()
    await running
    await fetch(`http://127.0.0.1:${port}/health/live`).then(
      () => assert.fail("it listens still"),
      () => undefined
    )
  })

  it("is about all consumers of the process", async () => {
    const cluster = await createTestCluster({ topics: { orders: 1, mails: 1 } })
    const port = await freePort()
    const first = await make(cluster, { health: { port, host: "127.0.0.1" } })
    const second = await make(cluster, { service: "mail-service", topics: ["mails"] })
    const runs = [first, second].map((consumer) => consumer.run({ eachRecord: () => undefined }))
    const services = async () =>
      (JSON.parse((await ask(port, "/health/ready")).body) as {
        readonly pipelines: ReadonlyArray<{ readonly service: string }>
      }).pipelines.map(({ service }) => service)
    await until("both ready", async () => (await ask(port, "/health/ready")).status === 200)
    assert.deepStrictEqual(await services(), ["orders-service", "mail-service"])
    await second.close()
    assert.deepStrictEqual(await services(), ["orders-service"])
    await first.close()
    await Promise.all(runs)
  })

  it("refuses what is no port, and one that is taken, and leaves nothing behind", async () => {
    const cluster = await createTestCluster({ topics: { orders: 1 } })
    const refusal = async (port: unknown): Promise<unknown> =>
      make(cluster, { health: { port: port as number, host: "127.0.0.1" } }).then(
        () => assert.fail("it was made"),
        (error: unknown) => error
      )
    for (const bad of ["8080", -1, 65_536, 1.5, undefined]) {
      const error = await refusal(bad)
      assert.instanceOf(error, InvalidOptionError)
      assert.strictEqual((error as InvalidOptionError).option, "health.port")
    }
    const port = await freePort()
    const consumer = await make(cluster, { health: { port, host: "127.0.0.1" } })
    const error = await refusal(port)
    assert.instanceOf(error, InvalidOptionError)
    assert.match((error as Error).message, /^health\.port cannot be listened on: .*EADDRINUSE/)
    await consumer.close()
    await (await make(cluster, { health: { port, host: "127.0.0.1" } })).close()
  })

  it("a client that never finishes its request does not hold up the end for long", async () => {
    const cluster = await createTestCluster({ topics: { orders: 1 } })
    const port = await freePort()
    const consumer = await make(cluster, { health: { port, host: "127.0.0.1" } })
    const socket = connect(port, "127.0.0.1")
    socket.on("error", () => undefined)
    await new Promise<void>((resolve) => void socket.once("connect", resolve))
    socket.write("GET /health/live HTTP/1.1\r\nhost: x\r\n")
    await sleep(100)
    const begin = performance.now()
    await consumer.close()
    assert.isBelow(performance.now() - begin, 45_000)
    socket.destroy()
  })
})
