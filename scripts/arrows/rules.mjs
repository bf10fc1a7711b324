/**
 * Who may import whom: the arrows of the house point down only. This table is what is checked.
 * Node's own modules and the libraries a package names in its package.json are not arrows between packages.
 */
const below = {
  kafka: [],
  config: ["kafka"],
  pipeline: ["config", "kafka"],
  postgres: ["pipeline", "config", "kafka"],
  protocol: ["kafka"],
  kafkajs: ["kafka", "protocol"],
  platformatic: ["kafka", "protocol"],
  testing: ["kafka", "config", "pipeline"],
  console: ["postgres", "pipeline", "config"],
  promise: ["kafka", "config", "pipeline", "postgres", "kafkajs", "platformatic", "testing"],
  cli: ["console", "postgres", "pipeline", "config", "kafka", "kafkajs", "platformatic", "testing", "promise"]
}

/** What the tests of any package may use besides what the package itself may. */
const forTests = ["testing", "kafkajs", "platformatic"]

/** Nothing matches an empty alternative here, as no folder has an empty name. */
const anyOf = (names) => `(?:${names.join("|")})`

/** `foundation` alone: no library but effect. */
const foundation = "kafka"

const arrow = (part, name, allowed) => ({
  name: `arrows: ${name}${part === "src" ? "" : `'s tests`}`,
  comment: allowed.length === 0 ? `${name} imports no other package.` : `${name} imports only ${allowed.join(", ")}.`,
  severity: "error",
  from: { path: `^packages/${name}/${part}/` },
  to: { path: "^packages/", pathNot: [`^packages/${name}/`, `^packages/${anyOf(allowed)}/src/`] }
})

const unlisted = {
  name: "arrows: a package without a row",
  comment: "Every package has a row in scripts/arrows/rules.mjs that says what it may import.",
  severity: "error",
  from: { path: "^packages/", pathNot: `^packages/${anyOf(Object.keys(below))}/` },
  to: {}
}

export default {
  forbidden: [
    ...Object.entries(below).map(([name, allowed]) => arrow("src", name, allowed)),
    ...Object.entries(below).map(([name, allowed]) => arrow("(?:test|typetest)", name, [...allowed, ...forTests])),
    unlisted,
    {
      name: "arrows: effect alone",
      comment: `${foundation} stands on effect alone.`,
      severity: "error",
      from: { path: `^packages/${foundation}/src/` },
      to: {
        dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer", "npm-no-pkg"],
        pathNot: "node_modules/effect/"
      }
    },
    {
      name: "arrows: libraries know no programs",
      comment: "Packages import no example, benchmark, script or test support; only tests may use test-support.",
      severity: "error",
      from: { path: "^packages/[^/]+/src/" },
      to: { path: "^(?:examples|bench|scripts|test-support|packages/[^/]+/(?:test|typetest))/" }
    },
    {
      name: "arrows: no way around exports",
      comment: "Other packages are imported by their name, so that internal modules stay internal.",
      severity: "error",
      from: { path: "^(packages/[^/]+)/" },
      to: { path: "^packages/", pathNot: "^$1/", dependencyTypesNot: ["aliased-workspace"] }
    },
    {
      name: "no circle between files",
      severity: "error",
      from: {},
      to: { circular: true }
    },
    {
      name: "every import can be resolved",
      // What peers of the benchmark need is installed in their own folders, when they first take part.
      severity: "error",
      from: { pathNot: "^bench/peers/" },
      to: { couldNotResolve: true }
    },
    {
      name: "every library is named in the package.json",
      severity: "error",
      from: { path: "^(?:packages|examples|bench)/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] }
    },
    {
      name: "no development library in what is published",
      severity: "error",
      from: { path: "^packages/[^/]+/src/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["npm", "npm-peer", "npm-optional"] }
    }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^packages/[^/]+/dist/" },
    // Imports of types are arrows too.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.programs.json" },
    combinedDependencies: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] }
  }
}
