/** Which consumer group a service's members are in, by its row in the database. */
import * as ConfigWriter from "@weft/postgres/ConfigWriter"
import * as Effect from "effect/Effect"
import type { Backends } from "../Backends.ts"
import type { CliFailure } from "../CliFailure.ts"
import { isDatabaseNamed } from "./database.ts"
import { withServices } from "./services.ts"

export type ServiceGroups = ReadonlyMap<string, string>

/** Groups by service; none without a database. Fails where there is a database that cannot be asked. */
export const serviceGroups: Effect.Effect<ServiceGroups, CliFailure, Backends> = Effect.gen(function*() {
  if (!(yield* isDatabaseNamed)) return new Map<string, string>()
  return yield* withServices(
    Effect.map(
      ConfigWriter.ConfigWriter.use(({ list }) => list),
      (rows) => new Map(rows.map(({ config, service }) => [service, config.consumerGroupId]))
    )
  )
})

/** The service of each group; that with the first name, where several share one. */
export const servicesOf = (groups: ServiceGroups): ReadonlyMap<string, string> =>
  new Map([...groups].sort(([a], [b]) => a < b ? 1 : -1).map(([service, group]) => [group, service]))
