// Proves that the core cannot look at a clock, throw dice, do I/O or depend on anything but itself.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SOURCE = join(import.meta.dirname, '../src');

/** What would make an answer depend on more than its arguments. */
const IMPURE = [
  // Of a given instant it is a calculation, and as a type nothing.
  /(?<!new |: )\bDate\b|\bnew Date\b(?!\(\s*[^)\s])/,
  /\bMath\.random\b/,
  /\bcrypto\b/,
  /\bperformance\b/,
  /\bprocess\b/,
  /\bglobalThis\b/,
  /\brequire\s*\(/,
  /\bimport\s*\(/,
  /\bset(Timeout|Interval|Immediate)\b/,
  /\bqueueMicrotask\b/,
  /\bfetch\s*\(/,
  /\bconsole\b/,
];

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\/|(^|[\s;{}(,])\/\/.*$/gm, '$1');

function impurities(text: string): string[] {
  const code = withoutComments(text);
  const words = IMPURE.flatMap((pattern) => pattern.exec(code)?.[0] ?? []);
  const foreign = [...code.matchAll(/(?:\bfrom|^import)\s+['"]([^'"]+)['"]/gm)]
    .map(([, from = '']) => from)
    .filter((from) => !/^\.\.?\/.*\.ts$/.test(from));
  return [...words, ...foreign];
}

const files = globSync('**/*.ts', { cwd: SOURCE });

test('no file of the core is impure', () => {
  const found = files.map((file) => ({ file, words: impurities(readFileSync(join(SOURCE, file), 'utf8')) }));
  expect(files.length).toBeGreaterThan(40);
  expect(found.filter(({ words }) => words.length > 0)).toEqual([]);
});

test.each([
  ['a clock', 'const now = Date.now();'],
  ['dice', 'return Math.random() < 0.5;'],
  ['the environment', "const debug = process.env.DEBUG === '1';"],
  ['a CommonJS import', "const fs = require('fs');"],
  ['a dynamic import', "const fs = await import('./x.ts');"],
  ['a Node module', "import { readFile } from 'node:fs/promises';"],
  ['a package', "import type { Logger } from 'pino';"],
  ['an import for its effects', "import 'node:process';"],
  ['an import over several lines', "import {\n  a,\n  b,\n} from '@fleetset/proto/x';"],
  ['a timer', 'setTimeout(wake, 100);'],
  ['the network', "const answer = await fetch('http://x');"],
])('%s would be noticed', (_what, code) => {
  expect(impurities(code)).not.toEqual([]);
});

test.each([
  ['a comment that names a clock', '// Date.now() is not read here\nconst a = 1;'],
  ['a field called node', "const at = { node: 'a', processed: true, requires: required('x') };"],
  ['a relative import', "import { a } from '../quantity.ts';"],
])('%s is no impurity', (_what, code) => {
  expect(impurities(code)).toEqual([]);
});
