/**
 * One raw value against one setting: accepted in the setting's own type, or refused with the kind of fault.
 */
import type * as Setting from "../Setting.ts"

export type Parsed =
  | { readonly _tag: "Accepted"; readonly value: string | number | boolean }
  | { readonly _tag: "Bad"; readonly expected: string }
  | { readonly _tag: "OutOfBounds"; readonly bound: "min" | "max"; readonly limit: Setting.Bound }

const encoder = new TextEncoder()
// A name with a line break or another control character is a slip of the clipboard, and would forge log lines.
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/** Why a text cannot be a name, or `undefined` where it can. */
export const nameFault = (setting: Setting.NameSetting, text: string): string | undefined => {
  if (text.trim() === "") return "a name that is not blank"
  if (control.test(text)) return "a name without control characters"
  if (!text.isWellFormed()) return "a name in well-formed Unicode"
  return encoder.encode(text).length > setting.maxBytes.value
    ? `a name of at most ${setting.maxBytes.value} bytes`
    : undefined
}

/** Why a text is none of the setting, or `undefined` where it is. */
export const textFault = ({ characters, maxLength }: Setting.TextSetting, text: string): string | undefined => {
  if (!characters.pattern.test(text)) return `of ${characters.inWords}, with {hostname} where that is wanted`
  if (text === "." || text === "..") return "more than dots"
  return text.length > maxLength.value ? `a text of at most ${maxLength.value} characters` : undefined
}

/** What stands for what differs from member to member, in a value that several of them read. */
const hostnamePlace = "{hostname}"

/** Why members cannot all read it, or `undefined` where they can. */
export const sharedFault = (text: string): string | undefined =>
  text === "" || text.includes(hostnamePlace)
    ? undefined
    : `a text with ${hostnamePlace} in it, since all members of the group read it, and no two may have the same`

/** The text of one member: of its host's name, what the setting takes. */
export const textOf = ({ maxLength }: Setting.TextSetting, text: string, hostname: string): string =>
  text.replaceAll(hostnamePlace, hostname.replace(/[^A-Za-z0-9._-]/g, "_")).slice(0, maxLength.value)

/** The name of a service made into a valid name: whatever the service is called, there is an answer. */
export const defaultName = (setting: Setting.NameSetting, service: string): string => {
  const clean = service.toWellFormed().replace(new RegExp(control, "g"), "_")
  // A character takes at most three bytes for each of its UTF-16 units.
  const units = Math.floor((setting.maxBytes.value - encoder.encode(setting.defaultSuffix).length) / 3)
  return (encoder.encode(clean + setting.defaultSuffix).length > setting.maxBytes.value
    ? clean.slice(0, units).toWellFormed()
    : clean) + setting.defaultSuffix
}

// Columns of other types (numeric, text) arrive as strings; 500, 500.0 and "500" are the same whole number.
const wholeNumber = (raw: unknown): number | undefined => {
  if (typeof raw === "number") return Number.isInteger(raw) ? raw : undefined
  if (typeof raw === "bigint") return Number(raw)
  if (typeof raw === "string" && /^\s*-?\d{1,400}(\.0+)?\s*$/.test(raw)) return Number(raw)
  return undefined
}

const truth = (raw: unknown): boolean | undefined =>
  typeof raw === "boolean" ? raw : raw === "true" ? true : raw === "false" ? false : undefined

const bad = (expected: string): Parsed => ({ _tag: "Bad", expected })

export const parse = (setting: Setting.Setting, raw: unknown): Parsed => {
  switch (setting.type) {
    case "integer": {
      const value = wholeNumber(raw)
      if (value === undefined) return bad("a whole number")
      if (value < setting.min.value) return { _tag: "OutOfBounds", bound: "min", limit: setting.min }
      if (value > setting.max.value) return { _tag: "OutOfBounds", bound: "max", limit: setting.max }
      return { _tag: "Accepted", value }
    }
    case "choice":
      return typeof raw === "string" && Object.hasOwn(setting.choices, raw)
        ? { _tag: "Accepted", value: raw }
        : bad(`one of ${Object.keys(setting.choices).join(", ")}`)
    case "flag": {
      const value = truth(raw)
      return value === undefined ? bad("true or false") : { _tag: "Accepted", value }
    }
    case "name": {
      if (typeof raw !== "string") return bad("a name")
      const fault = nameFault(setting, raw)
      return fault === undefined ? { _tag: "Accepted", value: raw } : bad(fault)
    }
    case "text": {
      if (typeof raw !== "string") return bad("a text")
      const fault = textFault(setting, raw)
      return fault === undefined ? { _tag: "Accepted", value: raw } : bad(fault)
    }
  }
}
