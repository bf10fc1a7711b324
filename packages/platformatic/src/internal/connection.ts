/**
 * One connection of @platformatic/kafka: TLS, SASL, and requests that wait for their answers. The library's own pool and
 * clients are not used: a connection that fails or is closed here is gone at once, and so is all that waited on it.
 */
import {
  apiVersionsV3,
  type ConnectionOptions as LibraryOptions,
  Connection as LibraryConnection,
  NetworkError,
  ResponseError,
  TimeoutError,
  UnsupportedApiError,
  Writer
} from "@platformatic/kafka"
import type { WireRequest } from "@weft/protocol/Client"
import { isTlsRecord, TlsExpected } from "@weft/protocol/Handshake"
import { Reader } from "@weft/protocol/Wire"
import * as Effect from "effect/Effect"
import { isIP } from "node:net"
import { isUnsupportedVersion } from "./classify.ts"
import { needed } from "./versions.ts"

export interface ConnectionPlan {
  readonly clientId: string
  readonly requestTimeoutMs: number
  readonly connectionTimeoutMs: number
  readonly authenticationTimeoutMs: number
  readonly tls: LibraryOptions["tls"]
  readonly sasl: LibraryOptions["sasl"]
}

/** One of the library's requests: it calls back with the answer, or with an error that may hold the answer. */
interface Api<Args extends ReadonlyArray<unknown>, A> {
  readonly key: number
  readonly version: number
  readonly async: (connection: LibraryConnection, ...args: Args) => Promise<A>
}

/** Timers cannot be set for longer; the timeouts are ours, by request. */
const never = 2 ** 31 - 1

/** Of requests under way; those beyond it would wait for the ones before them. */
const requestsAtOnce = 1000

const softwareName = "weft"
const softwareVersion = "0.1.0"

/** The library's, which authenticates again when it likes, and sends other requests meanwhile: the broker hangs up then. */
class RenewingConnection extends LibraryConnection {
  renew: (authenticate: () => void) => void = (authenticate) => authenticate()
  override reauthenticate(): void {
    this.renew(() => super.reauthenticate())
  }
}

export class Connection {
  private readonly library: RenewingConnection
  private readonly requestTimeoutMs: number
  private readonly connectionTimeoutMs: number
  private readonly authenticationTimeoutMs: number
  private readonly tls: boolean
  private latest: ReadonlyMap<number, number> = new Map()
  private readonly onClosed: Array<(error: Error) => void> = []
  private closed = false
  /** Why it can be used no more, where that was told: requests learn from the library only that it is so. */
  private broken: Error | undefined
  /** Requests that wait for their answers. */
  private readonly underWay = new Set<Promise<unknown>>()
  /** While the session is renewed, nothing else is sent. */
  private renewal: Promise<void> | undefined

  private constructor(host: string, plan: ConnectionPlan) {
    this.requestTimeoutMs = plan.requestTimeoutMs
    this.connectionTimeoutMs = plan.connectionTimeoutMs
    this.authenticationTimeoutMs = plan.authenticationTimeoutMs
    this.tls = plan.tls !== undefined
    this.library = new RenewingConnection(plan.clientId, {
      connectTimeout: plan.connectionTimeoutMs + (plan.sasl === undefined ? 0 : plan.authenticationTimeoutMs),
      requestTimeout: never,
      maxInflights: requestsAtOnce,
      ...(plan.tls === undefined
        ? {}
        : { tls: plan.tls, tlsServerName: isIP(host) === 0 && !("servername" in plan.tls) }),
      ...(plan.sasl === undefined ? {} : { sasl: plan.sasl })
    })
    // An event of this name that nobody hears ends the process.
    this.library.on("error", (error) => {
      this.broken ??= error
    })
    this.library.renew = (authenticate) => this.renew(authenticate)
  }

  /** `opened` is called at once, so that what is still connecting can be closed. */
  static open(
    address: { readonly host: string; readonly port: number },
    plan: ConnectionPlan,
    opened: (connection: Connection) => void
  ): Promise<Connection> {
    const connection = new Connection(address.host, plan)
    opened(connection)
    return connection.untilClosed(connection.connect(address)).catch((error: unknown) => {
      connection.close()
      throw error
    }).then(() => connection)
  }

  get isConnected(): boolean {
    const { status } = this.library
    return !this.closed && (status === "connected" || status === "reauthenticating")
  }

  knows({ key, version }: { readonly key: number; readonly version: number }): boolean {
    return (this.latest.get(key) ?? -1) >= version
  }

  /** The latest version of a request that the broker knows; 0 where it does not know it. */
  latestVersion(apiKey: number): number {
    return this.latest.get(apiKey) ?? 0
  }

  /** Parts that failed are in the answer, with their error codes. */
  inParts<Args extends ReadonlyArray<unknown>, A>(api: Api<Args, A>, ...args: Args): Promise<A> {
    return this.inPartsFor(0, api, ...args)
  }

  /** The same, where the broker itself may take its time. */
  inPartsFor<Args extends ReadonlyArray<unknown>, A>(timeoutMs: number, api: Api<Args, A>, ...args: Args): Promise<A> {
    return this.request(Math.max(timeoutMs, this.requestTimeoutMs), () => api.async(this.library, ...args))
      .catch((error: unknown) => {
        if (error instanceof ResponseError) return (error as unknown as { readonly response: A }).response
        throw error
      })
  }

  ask<Args extends ReadonlyArray<unknown>, A>(api: Api<Args, A>, ...args: Args): Promise<A> {
    return this.request(this.requestTimeoutMs, () => api.async(this.library, ...args))
  }

  send<A>(request: WireRequest<A>): Promise<A | undefined> {
    const version = Math.min(request.maxVersion, this.latestVersion(request.apiKey))
    const isAnswered = request.expectResponse !== false
    const sent = () =>
      new Promise<A | undefined>((resolve, reject) => {
        this.library.send<A>(
          request.apiKey,
          version,
          () => {
            const writer = Writer.create().append(request.encode(version).buffer)
            if (!isAnswered) writer.context["noResponse"] = true
            return writer
          },
          (_correlationId, _apiKey, _apiVersion, { buffer, position }) =>
            request.decode(new Reader(buffer.slice(position)), version),
          false,
          false,
          (error, payload) => error === null ? resolve(isAnswered ? payload : undefined) : reject(error)
        )
      })
    return this.request(Math.max(request.timeoutMs ?? 0, this.requestTimeoutMs), sent)
  }

  /** Now; what waits for an answer fails. */
  close(): void {
    if (this.closed) return
    this.closed = true
    // Ends the timer that would authenticate again, and leaves the socket to be flushed, for which nobody waits here.
    this.library.close(() => undefined)
    this.library.socket?.destroy()
    const error = new NetworkError("the connection was closed")
    for (const tell of this.onClosed.splice(0)) tell(error)
  }

  private async connect({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      void this.library.connect(host, port, (error) => error === null ? resolve() : reject(this.broken ?? error))
      if (this.tls) return
      this.library.socket?.prependOnceListener("data", (bytes: Buffer) => {
        if (isTlsRecord(bytes)) this.broken ??= new TlsExpected()
      })
    })
    await this.learnVersions()
  }

  private renew(authenticate: () => void): void {
    const renewed = Promise.allSettled(this.underWay).then(() => {
      if (this.closed) return
      const over = new Promise<void>((resolve) => {
        // The library tells the end of it by either.
        const ended = () => {
          this.library.off("connect", ended).off("error", ended)
          resolve()
        }
        this.library.on("connect", ended).on("error", ended)
        authenticate()
      })
      return this.within(this.authenticationTimeoutMs, over)
    })
    // What waits is told by the connection, which is closed where there was no answer.
    const renewal = renewed.catch(() => undefined).then(() => {
      if (this.renewal === renewal) this.renewal = undefined
    })
    this.renewal = renewal
  }

  private request<A>(timeoutMs: number, send: () => Promise<A>): Promise<A> {
    if (this.renewal !== undefined) return this.renewal.then(() => this.request(timeoutMs, send))
    const answered = this.within(timeoutMs, send())
    this.underWay.add(answered)
    const over = () => {
      this.underWay.delete(answered)
    }
    answered.then(over, over)
    return answered
  }

  private async learnVersions(): Promise<void> {
    // A server that takes the connection and says nothing must leave time for the next address.
    const { apiKeys } = await this.request(
      this.connectionTimeoutMs,
      () => apiVersionsV3.api.async(this.library, softwareName, softwareVersion)
    ).catch((error: unknown) => {
      throw isUnsupportedVersion(error) ? new UnsupportedApiError(`a broker before ${needed.since}`) : error
    })
    this.latest = new Map(apiKeys.map(({ apiKey, maxVersion }) => [apiKey, maxVersion]))
    const missing = needed.apis.find((one) => !this.knows(one))
    if (missing !== undefined) {
      throw new UnsupportedApiError(
        `a broker that knows version ${missing.version} of request ${missing.key}: Kafka ${needed.since}`
      )
    }
  }

  /** A connection whose broker does not answer in time is of no use any more. */
  private within<A>(timeoutMs: number, answer: Promise<A>): Promise<A> {
    return new Promise((resolve, reject) => {
      const giveUp = Effect.sync(() => {
        reject(new TimeoutError(`no answer within ${timeoutMs} ms`))
        this.close()
      })
      const timer = Effect.runFork(Effect.delay(giveUp, timeoutMs))
      answer.finally(() => timer.interruptUnsafe()).then(resolve, (error: unknown) => reject(this.broken ?? error))
    })
  }

  private untilClosed<A>(work: Promise<A>): Promise<A> {
    return new Promise((resolve, reject) => {
      this.onClosed.push(reject)
      work.then(resolve, reject)
    })
  }
}
