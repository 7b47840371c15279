// The tokens of pods on the disk: nobody reads them there, and what cannot be read is asked for again.
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { openTokenFile } from '../../src/state/token-file.ts';
import { tempDirectory } from '../temp-directory.ts';

let directory: string;
beforeEach(async () => {
  directory = await tempDirectory();
});

const KEPT = {
  podUid: 'uid-1',
  audience: '',
  expirationSeconds: 3607,
  token: 'a.secret.token',
  issuedAt: 1,
  lifetimeMs: 2,
};
const open = async () => {
  const problems: string[] = [];
  const file = await openTokenFile(directory, (error) => problems.push((error as Error).message));
  return { file, problems };
};

it('tokens are there again after a restart, and nobody reads them on the disk', async () => {
  await (await open()).file.write([KEPT]);
  const path = join(directory, 'tokens');
  expect((await readFile(path)).includes('secret')).toBe(false);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await open()).file.found).toEqual([KEPT]);
});

it.each<[string, () => Promise<void>]>([
  ['is damaged', () => writeFile(join(directory, 'tokens'), 'nonsense')],
  ['lost its key', () => rm(join(directory, 'tokens.key'))],
])('a file that %s is told of, and begun anew', async (_case, damage) => {
  await (await open()).file.write([KEPT]);
  await damage();
  const { file, problems } = await open();
  expect([file.found, problems]).toEqual([[], ['tokens does not hold tokens']]);
  await file.write([KEPT]);
  expect((await open()).file.found).toEqual([KEPT]);
});
