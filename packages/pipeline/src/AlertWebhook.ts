/**
 * Tells alerts to a webhook, as JSON that Slack's incoming webhooks take, and with them Mattermost, Rocket.Chat, Discord
 * (`.../slack`) and whatever else reads `text` and `attachments`.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as AlertSink from "./AlertSink.ts"
import { type SlackMessage, slackMessages } from "./internal/slackMessages.ts"

/**
 * The webhook's address cannot be used. The message names the variable, and never holds the address, which is a secret.
 *
 * @category errors
 * @since 0.1.0
 */
export class AlertWebhookConfigError extends Data.TaggedError("AlertWebhookConfigError")<{
  readonly variable: string
  readonly message: string
}> {}

/**
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Whoever knows it can write to the channel: it is in no log, span or error. */
  readonly url: Redacted.Redacted<string>
  /** What deliveries are recorded under; two webhooks need two names. Default `webhook`. */
  readonly name?: string | undefined
  /** How long an answer may take. Default 10 seconds. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * The variable that {@link layerConfig} reads.
 *
 * @category constants
 * @since 0.1.0
 */
export const variable = "WEFT_ALERT_WEBHOOK_URL"

const unusable = (name: string, fault: string) =>
  new AlertWebhookConfigError({ variable: name, message: `${name} ${fault}: it accepts an https:// or http:// URL` })

const isWebUrl = (text: string): boolean => ["http:", "https:"].includes(URL.parse(text)?.protocol ?? "")

const failure = (message: string, retryAfterMs?: number) => new AlertSink.AlertSinkError({ message, retryAfterMs })

/** As some receivers say how long they want to be left alone: in seconds. */
const retryAfterMs = ({ headers }: HttpClientResponse.HttpClientResponse): number | undefined => {
  const text = headers["retry-after"]
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1_000 : undefined
}

/**
 * A webhook. One request tells up to twenty things that happened; a failed one is repeated by whoever delivers.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options,
  name = variable
): Layer.Layer<AlertSink.AlertSink, AlertWebhookConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    AlertSink.AlertSink,
    Effect.gen(function*() {
      const client = yield* HttpClient.HttpClient
      const url = Redacted.value(options.url).trim()
      if (!isWebUrl(url)) return yield* unusable(name, "is not a web address")
      const timeout = Duration.fromInputUnsafe(options.timeout ?? "10 seconds")
      const late = failure(`no answer within ${Duration.toMillis(timeout)} ms`)

      const post = (message: SlackMessage) =>
        HttpClientRequest.post(url).pipe(
          HttpClientRequest.bodyJsonUnsafe(message),
          client.execute,
          // The error's own words have the address in them.
          Effect.mapError(({ reason }) =>
            failure(reason._tag === "TransportError" ? `no connection (${codeOf(reason.cause)})` : reason._tag)
          ),
          Effect.flatMap((response) =>
            response.status >= 200 && response.status < 300
              ? Effect.void
              : Effect.fail(failure(`answered ${response.status}`, retryAfterMs(response)))
          ),
          Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(late) })
        )

      return AlertSink.AlertSink.of({
        name: options.name ?? "webhook",
        batchSize: 200,
        deliver: (alerts) =>
          Effect.forEach(slackMessages(alerts), post, { discard: true }).pipe(
            // Spans have the address, too.
            Effect.provideService(HttpClient.TracerDisabledWhen, () => true)
          )
      })
    })
  )

/** Why there is no connection: ECONNREFUSED, ENOTFOUND, ... */
const codeOf = (cause: unknown): string => {
  for (let at: unknown = cause, depth = 0; depth < 4 && typeof at === "object" && at !== null; depth++) {
    const { code } = at as { readonly code?: unknown }
    if (typeof code === "string") return code
    at = (at as { readonly cause?: unknown }).cause
  }
  return "unknown reason"
}

/**
 * The address in a variable of the environment, where it is set.
 *
 * @category configuration
 * @since 0.1.0
 */
export const configuredUrl = (
  name = variable
): Effect.Effect<Option.Option<Redacted.Redacted<string>>, AlertWebhookConfigError> =>
  Config.Redacted(name).pipe(
    Config.option,
    Effect.mapError(() => unusable(name, "cannot be read")),
    Effect.map(Option.filter((url) => Redacted.value(url).trim() !== ""))
  )

/**
 * The webhook that `WEFT_ALERT_WEBHOOK_URL` names.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Omit<Options, "url"> = {},
  name = variable
): Layer.Layer<AlertSink.AlertSink, AlertWebhookConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(Effect.map(
    Effect.flatMap(
      configuredUrl(name),
      Option.match({
        onNone: () => Effect.fail(unusable(name, "is not set")),
        onSome: (url) => Effect.succeed(url)
      })
    ),
    (url) => layer({ ...options, url }, name)
  ))
