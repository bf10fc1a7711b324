/**
 * The members that have reported what they run with.
 */
import type * as PgClient from "@effect/sql-pg/PgClient"
import * as AppliedConfig from "@weft/config/AppliedConfig"
import type * as AppliedConfigs from "@weft/config/AppliedConfigs"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { storable } from "./storable.ts"

interface Stored {
  readonly service: string
  readonly member: string
  readonly group: string
  readonly configuration: unknown
  readonly appliedAt: number
  readonly lastSeen: number
}

const decode = Schema.decodeUnknownOption(AppliedConfig.AppliedConfig)

/** What another version has stored in another form is a member all the same. */
const unreadable: AppliedConfig.AppliedConfig = { profile: "", profileSource: "", settings: {}, issues: [] }

const member = ({ configuration, ...stored }: Stored): AppliedConfigs.AppliedMember => ({
  ...stored,
  applied: Option.getOrElse(decode(configuration), () => unreadable)
})

export const readMembers = (sql: PgClient.PgClient, service: string | undefined) =>
  sql<Stored>`
    SELECT
      service_name AS service, member, consumer_group_id AS "group", configuration,
      (extract(epoch FROM applied_at) * 1000)::double precision AS "appliedAt",
      (extract(epoch FROM last_seen) * 1000)::double precision AS "lastSeen"
    FROM consumer_applied_configs
    WHERE left_at IS NULL AND ${service === undefined ? sql`TRUE` : sql`service_name = ${storable(service)}`}
    ORDER BY service_name, member
  `.pipe(Effect.map((rows) => rows.map(member)))
