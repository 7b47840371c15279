// For hack/test: prints `N passed, N failed` from vitest's JSON report and fails when something did. A suite that could
// not run, a run that left no report and a failed check count as failures too.
import { readFileSync } from 'node:fs';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

function readReport(path: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

const [path = '', failedChecks = '0'] = process.argv.slice(2);
const report = readReport(path);
const brokenSuites = (report?.testResults ?? []).filter(
  ({ status, assertionResults }) =>
    status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
).length;
const passed = report?.numPassedTests ?? 0;
const failed =
  (report ? report.numFailedTests + brokenSuites : 1) + Number(failedChecks) + (passed === 0 ? 1 : 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
