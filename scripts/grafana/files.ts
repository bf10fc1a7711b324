/** The files in docs/grafana, as they should be. Pure. */
import { dashboard, type Source } from "./dashboard.ts"
import { postgres, prometheus } from "./panels.ts"
import { rules } from "./rules.ts"

export const sources: ReadonlyArray<Source> = [
  {
    uid: "weft-postgres",
    title: "Weft consumers (PostgreSQL)",
    description: "Consumers by what they write to PostgreSQL.",
    type: "grafana-postgresql-datasource",
    label: "PostgreSQL",
    variable: { name: "service", label: "Service", query: "SELECT service_name FROM v_service_health ORDER BY 1" },
    panels: postgres
  },
  {
    uid: "weft-prometheus",
    title: "Weft consumers (Prometheus)",
    description: "Consumers by what Prometheus scrapes from them.",
    type: "prometheus",
    label: "Prometheus",
    variable: {
      name: "group",
      label: "Consumer group",
      query: { query: "label_values(weft_consumer_partitions, messaging_consumer_group_name)", refId: "A" }
    },
    panels: prometheus
  }
]

/** Texts are quoted as JSON is, which is YAML as well. */
const quoted = (text: string): string => JSON.stringify(text)

const ruleFile = [
  "groups:",
  "  - name: weft",
  "    rules:",
  ...rules.flatMap((rule) => [
    `      - alert: ${rule.alert}`,
    `        expr: ${quoted(rule.expr)}`,
    `        for: ${rule.for}`,
    "        labels:",
    `          severity: ${rule.severity}`,
    "        annotations:",
    `          summary: ${quoted(rule.summary)}`,
    `          description: ${quoted(rule.description)}`
  ]),
  ""
].join("\n")

export const files: ReadonlyArray<{ readonly name: string; readonly text: string }> = [
  ...sources.map((source) => ({ name: `${source.uid}.json`, text: `${JSON.stringify(dashboard(source), null, 2)}\n` })),
  { name: "prometheus-rules.yaml", text: ruleFile }
]
