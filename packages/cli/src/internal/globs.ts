/** Names by pattern, as a shell has them: `*` is any run of characters, `?` one. Pure. */
export const matches = (patterns: ReadonlyArray<string>): (name: string) => boolean => {
  const expressions = patterns.map((pattern) =>
    new RegExp(
      `^${pattern.replace(/[\\^$.*+?()[\]{}|]/g, (c) => c === "*" ? ".*" : c === "?" ? "." : `\\${c}`)}$`,
      "su"
    )
  )
  return (name) => expressions.some((expression) => expression.test(name))
}
