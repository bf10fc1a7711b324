/** What is read of the report that vitest's JSON reporter writes. */
export interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: ReadonlyArray<{
      readonly fullName: string
      readonly status: string
      /** Of each try, also of a test that passed in the end. */
      readonly failureMessages?: ReadonlyArray<string>
    }>
  }>
}

/**
 * How many tests of one run may pass at the second try only. On real servers, on a machine that others use, one in two
 * thousand may come too late; each is told with what went wrong, to be mended. More are no accident.
 */
const secondTriesAtMost = 2

/** Counts tests and steps. A run of the tests that failed without a failed test (a file that does not load, say) is one failure. */
export const count = (report: Report | undefined, exitCodes: Readonly<Record<string, string>>) => {
  const lines: Array<string> = []
  let passed = report?.numPassedTests ?? 0
  let failed = report?.numFailedTests ?? 0
  let secondTries = 0
  if (report === undefined) lines.push("failed: the tests wrote no report")
  for (const file of report?.testResults ?? []) {
    const tests = file.assertionResults.filter(({ status }) => status === "failed")
    for (const { fullName } of tests) lines.push(`failed: ${fullName}`)
    for (const { failureMessages = [], fullName, status } of file.assertionResults) {
      if (status !== "passed" || failureMessages.length === 0) continue
      secondTries++
      lines.push(`passed at the second try only: ${fullName}: ${failureMessages.join("\n")}`)
    }
    if (file.status === "failed" && tests.length === 0) {
      failed++
      lines.push(`failed: ${file.name}: ${file.message}`)
    }
  }
  if (secondTries > secondTriesAtMost) {
    failed++
    lines.push(`failed: ${secondTries} tests needed a second try, at most ${secondTriesAtMost} may`)
  }
  const { tests = "0", ...others } = exitCodes
  if (tests !== "0" && failed === 0) failed++
  for (const exitCode of Object.values(others)) {
    if (exitCode === "0") passed++
    else failed++
  }
  for (const [step, exitCode] of Object.entries(exitCodes)) {
    if (exitCode !== "0") lines.push(`failed: ${step} ended with ${exitCode}`)
  }
  if (passed === 0 && failed === 0) failed++
  if (report !== undefined && report.numPendingTests > 0) lines.push(`${report.numPendingTests} skipped`)
  return { passed, failed, lines }
}
