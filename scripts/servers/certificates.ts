/** Certificates for a broker and its clients, by Java's own keytool: each signs for itself, and is trusted by name. */
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { promisify } from "node:util"

const run = promisify(execFile)
const jvm = ["-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1"]

export interface Certificate {
  /** PKCS #12, with the private key. */
  readonly keystore: string
  readonly password: string
  /** PEM, without the private key. */
  readonly certificate: string
  /** Its content. */
  readonly pem: string
}

export interface CertificateOptions {
  readonly name: string
  /** Of the addresses that the certificate is good for; none for a client's. */
  readonly ip?: string
  readonly expired?: boolean
}

/** Of keystores that live for a test. */
const password = "of-a-test"

/** Makes a key and its certificate in the folder. */
export const makeCertificate = async (
  java: string,
  folder: string,
  { expired = false, ip, name }: CertificateOptions
): Promise<Certificate> => {
  const keystore = join(folder, `${name}.p12`)
  const certificate = join(folder, `${name}.pem`)
  const keytool = (...args: ReadonlyArray<string>) =>
    run(join(dirname(java), "keytool"), [
      ...args,
      "-alias",
      name,
      "-keystore",
      keystore,
      "-storepass",
      password,
      ...jvm
    ])
  await keytool(
    "-genkeypair",
    "-storetype",
    "PKCS12",
    "-keyalg",
    "EC",
    "-groupname",
    "secp256r1",
    "-dname",
    `CN=${name}`,
    ...(ip === undefined ? [] : ["-ext", `san=ip:${ip}`]),
    "-validity",
    "2",
    ...(expired ? ["-startdate", "-4d"] : [])
  )
  await keytool("-exportcert", "-rfc", "-file", certificate)
  return { keystore, password, certificate, pem: await readFile(certificate, "utf8") }
}
