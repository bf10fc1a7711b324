/**
 * Reads the settings of a service for programs that keep their own client.
 *
 * @since 0.1.0
 */
import type { ConsumerConfig, ConsumerSettings, Database, Profile } from "./ConsumerConfig.ts"
import { readConfig } from "./internal/configReader.ts"
import { getProcessingRecommendations, type ProcessingRecommendation } from "./Recommendation.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface LoadOptions {
  readonly profile?: Profile | undefined
  /** Settings that hold whatever row and profile say, checked as those of a row are. */
  readonly settings?: Partial<ConsumerSettings> | undefined
}

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
  options: LoadOptions = {}
): Promise<ConsumerConfig> => readConfig(database, service, options)

/**
 * The same, and what services should change, of one database: the loader that programs of Loom v2 have.
 *
 * @category loading
 * @since 0.1.0
 */
export class KafkaConsumerConfigLoader {
  readonly #database: string | Database
  /** Nothing connects before something is asked. */
  constructor(database: string | Database) {
    this.#database = database
  }

  /** As {@link loadConsumerConfig}. */
  loadConfig(service: string, options?: LoadOptions): Promise<ConsumerConfig> {
    return loadConsumerConfig(this.#database, service, options)
  }

  /** As {@link getProcessingRecommendations}: of one service, or of all. */
  getProcessingRecommendations(service?: string): Promise<ReadonlyArray<ProcessingRecommendation>> {
    return getProcessingRecommendations(this.#database, { service })
  }
}
