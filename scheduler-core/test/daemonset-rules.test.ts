// docs/daemonset-rules.md has a row for each rule of a DaemonSet, and the tests that it names are there and cite the rule.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const RULES = 111;
const TABLE = readFileSync(join(ROOT, 'docs', 'daemonset-rules.md'), 'utf8');

/** As the table names them: core/placement, plane/fleet/mirror. */
function readTest(name: string): string | undefined {
  const [part = '', ...rest] = name.split('/');
  const folder = part === 'core' ? 'scheduler-core' : part;
  const path = join(ROOT, folder, 'test', `${rest.join('/')}.test.ts`);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** "rule 4", "rules 4 and 5", "rules 24 to 27, and 30", also over the end of a comment's line. */
function citedIn(text: string): ReadonlySet<number> {
  const cited = new Set<number>();
  const plain = text.replace(/\n\s*\/\/\s*/g, ' ');
  for (const [, list = ''] of plain.matchAll(/\brules?\s+(\d+(?:(?:,? and |, | to )\d+)*)/gi))
    for (const part of list.split(/,? and |, /)) {
      const [first = 0, last = first] = part.split(' to ').map(Number);
      for (let rule = first; rule <= last; rule++) cited.add(rule);
    }
  return cited;
}

function problemsOf(table: string, read: typeof readTest): string[] {
  const rows = [...table.matchAll(/^\| (\d+) \| (.+?) \| (.+?) \|(.*)\|$/gm)];
  const numbers = rows.map(([, rule]) => Number(rule));
  const missing = Array.from({ length: RULES }, (_, index) => index + 1).filter(
    (rule) => !numbers.includes(rule),
  );
  const twice = numbers.filter((rule, index) => numbers.indexOf(rule) !== index);
  const inRows = rows.flatMap(([, rule = '', , here = '', tests = '']) => {
    const names = tests
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean);
    if (names.length === 0)
      return /\bnot (ours|yet): /.test(here) ? [] : [`rule ${rule}: neither a test nor why there is none`];
    return names.flatMap((name) => {
      const text = read(name);
      if (text === undefined) return [`rule ${rule}: there is no test ${name}`];
      return citedIn(text).has(Number(rule)) ? [] : [`rule ${rule}: ${name} does not cite it`];
    });
  });
  return [
    ...missing.map((rule) => `rule ${rule}: no row`),
    ...twice.map((rule) => `rule ${rule}: more than one row`),
    ...inRows,
  ];
}

test('every rule has a row, and every test that a row names cites the rule', () => {
  expect(problemsOf(TABLE, readTest)).toEqual([]);
});

test.each<[string, string, string]>([
  ['without a row', TABLE.replace(/^\| 17 .*\n/m, ''), 'rule 17: no row'],
  [
    'with a test that is gone',
    TABLE.replace('| core/quantity |', '| core/gone |'),
    'rule 84: there is no test core/gone',
  ],
  [
    'with a test that is about something else',
    TABLE.replace('| core/quantity |', '| core/placement |'),
    'rule 84: core/placement does not cite it',
  ],
  [
    'with nothing to show',
    TABLE.replace('| core/quantity |', '| |'),
    'rule 84: neither a test nor why there is none',
  ],
])('a rule %s is found', (_, table, problem) => {
  expect(problemsOf(table, readTest)).toEqual([problem]);
});

test.each<[string, number[]]>([
  ['rule 4', [4]],
  ['Rules 4 and 5:', [4, 5]],
  ['(rules 24 to 27, and 30)', [24, 25, 26, 27, 30]],
  ['(rules 31 to 33,\n// 36 and 40)', [31, 32, 33, 36, 40]],
  ['the ruler 4, rule of 5', []],
])('%j cites %j', (text, expected) => {
  expect([...citedIn(text)]).toEqual(expected);
});
