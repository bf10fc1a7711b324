/** A dashboard as Grafana imports it, from panels. Pure. */
import type { Panel, Query } from "./panels.ts"

export interface Source {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly type: "grafana-postgresql-datasource" | "prometheus"
  readonly label: string
  readonly variable: { readonly name: string; readonly label: string; readonly query: unknown }
  readonly panels: ReadonlyArray<Panel>
}

const letters = "ABCDEFGH"

const target = (source: Source, panel: Panel) => ({ legend, text }: Query, index: number) => ({
  datasource: { type: source.type, uid: "${datasource}" },
  refId: letters[index],
  ...source.type === "prometheus"
    ? { expr: text, legendFormat: legend ?? "", range: true }
    : { rawQuery: true, rawSql: text, format: panel.kind === "table" ? "table" : "time_series" }
})

/** From left to right, a new line where a panel finds no room. */
const places = (panels: ReadonlyArray<Panel>) => {
  let x = 0
  let y = 0
  let lineHeight = 0
  return panels.map(({ height, width }) => {
    if (x + width > 24) {
      x = 0
      y += lineHeight
      lineHeight = 0
    }
    const place = { x, y, w: width, h: height }
    x += width
    lineHeight = Math.max(lineHeight, height)
    return place
  })
}

export const dashboard = (source: Source) => {
  const at = places(source.panels)
  return {
    uid: source.uid,
    title: source.title,
    description: source.description,
    tags: ["kafka", "weft"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    timezone: "browser",
    annotations: { list: [] },
    links: [],
    templating: {
      list: [
        { name: "datasource", label: source.label, type: "datasource", query: source.type, current: {}, hide: 0 },
        {
          name: source.variable.name,
          label: source.variable.label,
          type: "query",
          datasource: { type: source.type, uid: "${datasource}" },
          query: source.variable.query,
          multi: true,
          includeAll: true,
          current: { text: ["All"], value: ["$__all"] },
          refresh: 2,
          sort: 1,
          hide: 0
        }
      ]
    },
    panels: source.panels.map((panel, index) => ({
      id: index + 1,
      type: panel.kind,
      title: panel.title,
      description: panel.description,
      datasource: { type: source.type, uid: "${datasource}" },
      gridPos: at[index],
      fieldConfig: {
        defaults: {
          unit: panel.unit,
          ...panel.kind === "timeseries" && { custom: { fillOpacity: 8, showPoints: "never", spanNulls: true }, min: 0 }
        },
        overrides: []
      },
      options: panel.kind === "table"
        ? { showHeader: true, cellHeight: "sm" }
        : {
          legend: { displayMode: "table", placement: "bottom", calcs: ["lastNotNull", "max"], showLegend: true },
          tooltip: { mode: "multi", sort: "desc" }
        },
      targets: panel.queries.map(target(source, panel))
    }))
  }
}
