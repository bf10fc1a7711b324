/** A whole number from the command line, or an error that says what is accepted. */
export const wholeNumber = (option: string, text: string, lowest: number, highest: number): number => {
  const value = Number(text)
  if (text.trim() === "" || !Number.isInteger(value) || value < lowest || value > highest) {
    throw new Error(`${option} takes a whole number from ${lowest} to ${highest}, not "${text}"`)
  }
  return value
}
