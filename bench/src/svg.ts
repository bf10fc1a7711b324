/** What every plot has. Pure. */

export const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

/** A grey that is read on white and on black. */
export const grey = "#8b949e"

export const picture = (
  { height, title, width }: { readonly title: string; readonly width: number; readonly height: number },
  body: ReadonlyArray<string>
): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12" fill="${grey}">`,
    `  <title>${escaped(title)}</title>`,
    `  <text x="8" y="18" font-size="14">${escaped(title)}</text>`,
    ...body,
    "</svg>",
    ""
  ].join("\n")
