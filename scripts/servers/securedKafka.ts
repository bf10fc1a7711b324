import { makeCertificate } from "./certificates.ts"
import { type JvmKafka, type Listener, startKafkaInJvm } from "./kafkaInJvm.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

const all = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] as const

interface SaslListener extends Listener {
  readonly mechanisms: ReadonlyArray<string>
}

/** How clients may come in; the plain listener is there besides, and lets everybody do everything. */
const listeners = [
  { name: "SASL_SSL", protocol: "SASL_SSL", mechanisms: all },
  /** A token would lie open on the network. */
  { name: "SASL_PLAINTEXT", protocol: "SASL_PLAINTEXT", mechanisms: ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] },
  /** A client needs a certificate of its own. */
  { name: "MUTUAL", protocol: "SSL", mechanisms: [] },
  /** The broker's certificate has expired. */
  { name: "EXPIRED", protocol: "SSL", mechanisms: [] },
  /** Clients have to authenticate again every few seconds (KIP-368). */
  { name: "BRIEF", protocol: "SASL_SSL", mechanisms: all }
] as const satisfies ReadonlyArray<SaslListener>

export type SecuredListener = (typeof listeners)[number]["name"]

export interface SecuredOptions {
  /** Who there is, with their passwords, for all mechanisms that have one. */
  readonly users: Readonly<Record<string, string>>
  /** Of them and of the names of client certificates, those who need no ACL. */
  readonly superUsers: ReadonlyArray<string>
  /** How long a session lasts on the listener `BRIEF`. */
  readonly sessionMs: number
}

export interface SecuredKafka extends Omit<JvmKafka, "addressesOf"> {
  readonly addressesOf: (listener: SecuredListener) => ReadonlyArray<string>
  /** The authority, in PEM, of all listeners but `EXPIRED`, whose own is `expired`. They are good for 127.0.0.1 alone. */
  readonly authority: { readonly valid: string; readonly expired: string }
  /** A client's certificate with its key (PKCS #12), for a principal called `client`. */
  readonly client: { readonly keystore: string; readonly passphrase: string }
}

const modules = "org.apache.kafka.common.security"

const saslSettings = (
  listener: SaslListener,
  { sessionMs, users }: SecuredOptions
): Readonly<Record<string, string>> => {
  const prefix = `listener.name.${listener.name.toLowerCase()}`
  const known = Object.entries(users).map(([name, password]) => ` user_${name}="${password}"`).join("")
  const scram = `${modules}.scram.ScramLoginModule required;`
  const settings: Record<string, string> = {
    [`${prefix}.sasl.enabled.mechanisms`]: listener.mechanisms.join(","),
    [`${prefix}.plain.sasl.jaas.config`]: `${modules}.plain.PlainLoginModule required${known};`,
    [`${prefix}.scram-sha-256.sasl.jaas.config`]: scram,
    [`${prefix}.scram-sha-512.sasl.jaas.config`]: scram,
    // Takes tokens that nobody has signed.
    [`${prefix}.oauthbearer.sasl.jaas.config`]:
      `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`
  }
  if (listener.name === "BRIEF") {
    for (const one of listener.mechanisms) {
      settings[`${prefix}.${one.toLowerCase()}.connections.max.reauth.ms`] = String(sessionMs)
    }
  }
  return settings
}

const scramUsers = (users: SecuredOptions["users"]): ReadonlyArray<string> =>
  Object.entries(users).flatMap(([name, password]) =>
    ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((one) => ["--add-scram", `${one}=[name=${name},password=${password}]`])
  )

/** Starts a broker with secured listeners beside its plain one, and with ACLs: who is no super user may do nothing yet. */
export const startSecuredKafka = async (java: string, options: SecuredOptions): Promise<SecuredKafka> => {
  const folder = await temporaryFolder("weft-certificates-")
  const make = (name: string, more: { readonly ip?: string; readonly expired?: boolean }) =>
    makeCertificate(java, folder.path, { name, ...more })
  try {
    const [broker, expired, client] = await Promise.all([
      make("broker", { ip: "127.0.0.1" }),
      make("expired", { ip: "127.0.0.1", expired: true }),
      make("client", {})
    ])
    const kafka = await startKafkaInJvm(java, {
      nodes: 1,
      port: undefined,
      listeners,
      formatArguments: scramUsers(options.users),
      settings: {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        // Who comes in by the plain listener has no name.
        "super.users": ["ANONYMOUS", ...options.superUsers].map((name) => `User:${name}`).join(";"),
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+)$/$1/,DEFAULT",
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": broker.keystore,
        "ssl.keystore.password": broker.password,
        "ssl.key.password": broker.password,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": client.certificate,
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.expired.ssl.keystore.location": expired.keystore,
        ...Object.assign(
          {},
          ...listeners.filter(({ mechanisms }) => mechanisms.length > 0).map((one) => saslSettings(one, options))
        )
      }
    })
    return {
      ...kafka,
      authority: { valid: broker.pem, expired: expired.pem },
      client: { keystore: client.keystore, passphrase: client.password },
      stop: () => kafka.stop().then(folder.remove)
    }
  } catch (error) {
    await folder.remove()
    throw error
  }
}
