/** IncrementalAlterConfigs: kafkajs has only the older request, which resets every config that it does not name. */
import type { WireRequest } from "@weft/protocol/Client"
import { Writer } from "@weft/protocol/Wire"

/** The operation that sets a value. */
const set = 0

/** Answers the error code. */
export const alterConfigsRequest = (
  resourceType: number,
  resourceName: string,
  configs: Readonly<Record<string, string>>
): WireRequest<{ readonly errorCode: number; readonly message: string | null }> => ({
  apiKey: 44,
  apiName: "IncrementalAlterConfigs",
  maxVersion: 0,
  encode: () => {
    const writer = new Writer()
    return writer.int32(1).int8(resourceType).string(resourceName)
      .array(Object.entries(configs), ([name, value]) => writer.string(name).int8(set).string(value))
      .int8(0)
  },
  decode: (reader) => {
    reader.int32()
    const [answer] = reader.array(() => {
      const errorCode = reader.int16()
      const message = reader.string()
      reader.int8()
      reader.string()
      return { errorCode, message }
    })
    return answer ?? { errorCode: 0, message: null }
  }
})
