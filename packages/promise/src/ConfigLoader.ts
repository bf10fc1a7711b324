/**
 * Reads the settings of a service for programs that keep their own client.
 *
 * @since 0.1.0
 */
import type { ConsumerConfig, ConsumerSettings, Database, Profile } from "./ConsumerConfig.ts"
import { readConfig } from "./internal/configReader.ts"

/**
 * Reads and resolves the settings of a service, once: for programs that keep their own client (see `toKafkaJs` and
 * `toPlatformatic`).
 *
 * A missing row, a database that is away or slow, a value that cannot be: none of it rejects; the settings fall back
 * one by one, and `issues` says so. Only a URL that is none rejects, with `INVALID_OPTION`.
 *
 * @category loading
 * @since 0.1.0
 */
export const loadConsumerConfig = (
  database: string | Database,
  service: string,
  options: {
    readonly profile?: Profile | undefined
    /** Settings that hold whatever row and profile say, checked as those of a row are. */
    readonly settings?: Partial<ConsumerSettings> | undefined
  } = {}
): Promise<ConsumerConfig> => readConfig(database, service, options)
