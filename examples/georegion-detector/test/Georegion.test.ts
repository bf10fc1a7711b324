import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { GeocodedLocation } from "../src/GeocodedLocation.ts"
import { detect, distanceMeters, type Georegion } from "../src/Georegion.ts"
import { GeoregionDetection } from "../src/GeoregionDetection.ts"

const berlin: Georegion = {
  id: "berlin",
  name: "Berlin",
  type: "city",
  latitude: 52.52,
  longitude: 13.405,
  radiusMeters: 20_000
}
const alexanderplatz: Georegion = {
  id: "alex",
  name: "Alexanderplatz",
  type: "square",
  latitude: 52.5219,
  longitude: 13.4132,
  radiusMeters: 400
}

const at = (latitude: number, longitude: number): GeocodedLocation => ({
  trace_id: "trace-1",
  device_id: "phone-1",
  timestamp: "2026-03-01T12:00:00.000Z",
  schema_version: "v1",
  data: { latitude, longitude, address: "somewhere" },
  metadata: { source: "gps" }
})

const assertAbout = (actual: number, expected: number, tolerance: number) =>
  assert.isTrue(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} ± ${tolerance}`)

describe("the great-circle distance", () => {
  it("is zero from a point to itself", () => {
    assert.strictEqual(distanceMeters(berlin, berlin), 0)
  })

  it("is the known one from Berlin to Munich", () => {
    assertAbout(
      distanceMeters({ latitude: 52.52, longitude: 13.405 }, { latitude: 48.1371, longitude: 11.5754 }),
      504_300,
      500
    )
  })

  it("is 111.2 km for a degree of latitude, and half of it for one of longitude at 60 degrees", () => {
    assertAbout(distanceMeters({ latitude: 0, longitude: 0 }, { latitude: 1, longitude: 0 }), 111_195, 1)
    assertAbout(distanceMeters({ latitude: 60, longitude: 0 }, { latitude: 60, longitude: 1 }), 55_597, 5)
  })

  it("is short across the date line", () => {
    assertAbout(distanceMeters({ latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 }), 111_195, 1)
  })

  it("is half of the circumference between opposite points", () => {
    assertAbout(
      distanceMeters({ latitude: 90, longitude: 0 }, { latitude: -90, longitude: 0 }),
      Math.PI * 6_371_008.8,
      1
    )
    assertAbout(
      distanceMeters({ latitude: 10, longitude: 20 }, { latitude: -10, longitude: -160 }),
      Math.PI * 6_371_008.8,
      1
    )
  })
})

describe("detect", () => {
  it("finds every region that contains the point, the surest first", () => {
    const found = detect([alexanderplatz, berlin], at(52.5200, 13.4100)).map(({ data }) => data.georegion_id)
    assert.deepStrictEqual(found, ["berlin", "alex"])
  })

  it("finds nothing far away", () => {
    assert.deepStrictEqual(detect([alexanderplatz, berlin], at(48.1371, 11.5754)), [])
  })

  it("is certain at the centre, and as unsure as the way to it is long", () => {
    const [centre] = detect([berlin], at(52.52, 13.405))
    assert.strictEqual(centre!.data.confidence_score, 1)
    assert.strictEqual(centre!.data.distance_to_center_meters, 0)
    const [off] = detect([berlin], at(52.61, 13.405))
    assertAbout(off!.data.distance_to_center_meters, 10_008, 10)
    assertAbout(off!.data.confidence_score, 0.5, 0.01)
  })

  it("contains the points of the edge and none beyond it", () => {
    const distance = distanceMeters(berlin, { latitude: 52.61, longitude: 13.405 })
    assert.lengthOf(detect([{ ...berlin, radiusMeters: distance }], at(52.61, 13.405)), 1)
    assert.lengthOf(detect([{ ...berlin, radiusMeters: distance - 0.001 }], at(52.61, 13.405)), 0)
  })

  it("keeps the envelope, and enters at the time of the location", () => {
    const location = at(52.5219, 13.4132)
    const [detection] = detect([alexanderplatz], location)
    assert.deepStrictEqual(detection, {
      trace_id: "trace-1",
      device_id: "phone-1",
      timestamp: "2026-03-01T12:00:00.000Z",
      schema_version: "v1",
      metadata: { source: "gps" },
      data: {
        georegion_id: "alex",
        georegion_name: "Alexanderplatz",
        georegion_type: "square",
        latitude: 52.5219,
        longitude: 13.4132,
        distance_to_center_meters: 0,
        confidence_score: 1,
        entry_time: "2026-03-01T12:00:00.000Z",
        exit_time: null
      }
    })
    assert.isTrue(Schema.is(GeoregionDetection)(detection))
  })
})

describe("GeocodedLocation", () => {
  const isLocation = Schema.is(GeocodedLocation)

  it("refuses places that are not on the globe, other versions and times that are none", () => {
    assert.isTrue(isLocation(at(90, -180)))
    assert.isFalse(isLocation(at(90.1, 0)))
    assert.isFalse(isLocation(at(0, 180.1)))
    assert.isFalse(isLocation({ ...at(0, 0), schema_version: "v2" }))
    assert.isFalse(isLocation({ ...at(0, 0), timestamp: "yesterday" }))
  })
})
