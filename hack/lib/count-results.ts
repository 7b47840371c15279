// For hack/test: says once more what failed, in one place behind all lanes, then prints `N passed, N failed` from
// vitest's JSON reports and fails when something did. A suite that could not run, a run that left no report or failed
// without a test that did (REPORT.failed), and a failed check count as failures too.
import { existsSync, readFileSync } from 'node:fs';
import { basename, relative } from 'node:path';

interface Test {
  readonly status: string;
  readonly fullName: string;
  readonly failureMessages: readonly string[];
}
interface Suite {
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly assertionResults: readonly Test[];
}
interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly Suite[];
}

function readReport(path: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

const MOST_CHARACTERS = 1500;
const cut = (text: string) =>
  text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)} ... (cut)` : text;
const hasFailed = ({ status }: { readonly status: string }) => status === 'failed';

/** What failed, as the texts to print: a suite that did without a failed test could not run. */
function failuresOf({ name, status, message, assertionResults }: Suite): string[] {
  const file = relative('.', name);
  const tests = assertionResults.filter(hasFailed);
  if (tests.length === 0 && status === 'failed') return [`${file}\n${message}`];
  return tests.map(({ fullName, failureMessages }) => `${file}: ${fullName}\n${ownLines(failureMessages)}`);
}

const ownLines = (messages: readonly string[]) =>
  messages
    .flatMap((message) => message.split('\n'))
    .filter((line) => !/^ +at .*(node_modules|new Promise)/.test(line))
    .join('\n');

/** What failed in one lane. Vitest also fails for what no test does: an error that nobody caught. */
function failuresIn(path: string, report: Report | undefined): string[] {
  const failures = (report?.testResults ?? []).flatMap(failuresOf);
  if (failures.length > 0) return failures;
  if (!report?.numPassedTests) return [`${basename(path)}: this lane left no report, or ran nothing`];
  if (existsSync(`${path}.failed`))
    return [`${basename(path)}: no test failed, but the run did: its errors are above`];
  return [];
}

const [failedChecks = '0', ...paths] = process.argv.slice(2);
const reports = paths.map((path) => ({ path, report: readReport(path) }));
const failures = reports.flatMap(({ path, report }) => failuresIn(path, report));
for (const failure of failures) console.log(`FAILED ${cut(failure)}`);
const passed = reports.reduce((sum, { report }) => sum + (report?.numPassedTests ?? 0), 0);
const failed = failures.length + Number(failedChecks);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
