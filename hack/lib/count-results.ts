// For hack/test: prints `N passed, N failed` from vitest's JSON reports and fails when something did. A suite that could
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

/** A run that left no report, or ran nothing, failed. */
function count(path: string): { readonly passed: number; readonly failed: number } {
  const report = readReport(path);
  if (!report?.numPassedTests) return { passed: 0, failed: 1 + (report?.numFailedTests ?? 0) };
  const brokenSuites = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  return { passed: report.numPassedTests, failed: report.numFailedTests + brokenSuites.length };
}

const [failedChecks = '0', ...paths] = process.argv.slice(2);
const counts = paths.map(count);
const passed = counts.reduce((sum, each) => sum + each.passed, 0);
const failed = counts.reduce((sum, each) => sum + each.failed, Number(failedChecks));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
