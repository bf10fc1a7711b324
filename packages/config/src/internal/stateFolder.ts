/**
 * The folder in which a program keeps its state, by the custom of each platform. Pure.
 */
import { posix, win32 } from "node:path"

export interface Surroundings {
  readonly platform: string
  readonly home: string
  readonly variable: (name: string) => string | undefined
}

export const stateFolder = ({ home, platform, variable }: Surroundings): string => {
  const given = variable("WEFT_STATE_DIR")
  if (given !== undefined) return given
  switch (platform) {
    case "win32":
      return win32.join(variable("LOCALAPPDATA") ?? win32.join(home, "AppData", "Local"), "weft")
    case "darwin":
      return posix.join(home, "Library", "Application Support", "weft")
    default: {
      // The specification of these folders says to ignore a relative one.
      const state = variable("XDG_STATE_HOME")
      return posix.join(state?.startsWith("/") === true ? state : posix.join(home, ".local", "state"), "weft")
    }
  }
}
