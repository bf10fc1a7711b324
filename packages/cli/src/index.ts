/**
 * @since 0.1.0
 */
export * as Backends from "./Backends.ts"
/**
 * @since 0.1.0
 */
export * as CliFailure from "./CliFailure.ts"
/**
 * @since 0.1.0
 */
export * as ExitCode from "./ExitCode.ts"
/**
 * @since 0.1.0
 */
export * as Weft from "./Weft.ts"
