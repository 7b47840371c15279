// Files that change all at once, as kubelet changes them.
import { mkdir, readdir, readFile, readlink, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type AtomicFile, hasFiles, writeAtomically } from '../../src/volumes/atomic-files.ts';
import { tempDirectory } from '../temp-directory.ts';

let directory: string;
beforeEach(async () => {
  directory = await tempDirectory();
});

const file = (path: string, text: string, mode = 0o644): AtomicFile => ({
  path,
  mode,
  content: Buffer.from(text),
});
/** Visible names with what they hold. */
const seen = async () => {
  const names = (await readdir(directory)).filter((name) => !name.startsWith('..')).sort();
  return Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      return (await stat(path)).isDirectory() ? `${name}/` : `${name}=${await readFile(path, 'utf8')}`;
    }),
  );
};
const hidden = async () => (await readdir(directory)).filter((name) => name.startsWith('..'));

describe('files of a volume', () => {
  it('are seen under their names, which lead through ..data', async () => {
    expect(await hasFiles(directory)).toBe(false);
    await writeAtomically(directory, [file('a', 'one'), file('deep/er/b', 'two', 0o400)]);
    expect(await hasFiles(directory)).toBe(true);
    expect(await seen()).toEqual(['a=one', 'deep/']);
    expect(await readlink(join(directory, 'a'))).toBe('..data/a');
    expect(await readlink(join(directory, 'deep'))).toBe('..data/deep');
    expect(await readFile(join(directory, 'deep/er/b'), 'utf8')).toBe('two');
    expect((await stat(join(directory, 'deep/er/b'))).mode & 0o777).toBe(0o400);
    expect((await stat(join(directory, 'deep/er'))).mode & 0o777).toBe(0o755);
  });

  it('have the modes they are given, whatever the umask', async () => {
    const before = process.umask(0o077);
    try {
      await writeAtomically(directory, [file('a', 'one', 0o666), file('d/b', 'two', 0o777)]);
    } finally {
      process.umask(before);
    }
    expect((await stat(join(directory, 'a'))).mode & 0o777).toBe(0o666);
    expect((await stat(join(directory, 'd/b'))).mode & 0o777).toBe(0o777);
    expect((await stat(join(directory, 'd'))).mode & 0o777).toBe(0o755);
  });

  it('are exchanged as a whole; names that are no more go', async () => {
    await writeAtomically(directory, [file('a', 'one'), file('b', 'two')]);
    const [before] = [await readlink(join(directory, '..data'))];
    await writeAtomically(directory, [file('a', 'three'), file('c', 'four')]);
    expect(await seen()).toEqual(['a=three', 'c=four']);
    expect(await readlink(join(directory, '..data'))).not.toBe(before);
    expect(await hidden()).toHaveLength(2);
  });

  it('are left alone when they are the same', async () => {
    await writeAtomically(directory, [file('a', 'one'), file('d/b', 'two')]);
    const before = await readlink(join(directory, '..data'));
    await writeAtomically(directory, [file('a', 'one'), file('d/b', 'two')]);
    expect(await readlink(join(directory, '..data'))).toBe(before);
  });

  it.each<[string, (inside: string) => Promise<unknown>]>([
    ['changed', (inside) => writeFile(join(inside, 'a'), 'other')],
    ['cut short', (inside) => writeFile(join(inside, 'a'), '')],
    ['added to', (inside) => writeFile(join(inside, 'z'), 'more')],
    ['moved', (inside) => rename(join(inside, 'a'), join(inside, 'y'))],
  ])('are written anew when what is there was %s', async (_how, spoil) => {
    await writeAtomically(directory, [file('a', 'one')]);
    await spoil(join(directory, await readlink(join(directory, '..data'))));
    await writeAtomically(directory, [file('a', 'one')]);
    expect(await seen()).toEqual(['a=one']);
  });

  it('may be none', async () => {
    await writeAtomically(directory, [file('a', 'one')]);
    await writeAtomically(directory, []);
    expect(await seen()).toEqual([]);
    expect(await hasFiles(directory)).toBe(true);
  });

  it('survive an update that was broken off at any step', async () => {
    await writeAtomically(directory, [file('a', 'one')]);
    await mkdir(join(directory, '..2024_01_01_00_00_00.abcdef'));
    await writeFile(join(directory, '..2024_01_01_00_00_00.abcdef/a'), 'half');
    await symlink('..2024_01_01_00_00_00.abcdef', join(directory, '..data_tmp'));
    await symlink('..data/gone', join(directory, 'gone'));
    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('one');
    await writeAtomically(directory, [file('a', 'two')]);
    expect(await seen()).toEqual(['a=two']);
    expect(await hidden()).toHaveLength(2);
  });

  it('are all old or all new for who reads them by way of one ..data', async () => {
    const version = (text: string) => ['a', 'b', 'c'].map((name) => file(name, text));
    await writeAtomically(directory, version('0'));
    let writing = true;
    const writer = (async () => {
      for (let round = 1; round <= 40; round++) await writeAtomically(directory, version(String(round)));
      writing = false;
    })();
    const mixed: string[][] = [];
    let whole = 0;
    while (writing) {
      const inside = join(directory, await readlink(join(directory, '..data')));
      const texts = await Promise.all(
        ['a', 'b', 'c'].map((name) => readFile(join(inside, name), 'utf8')),
      ).catch(() => undefined);
      // What was read too late is gone, never another.
      if (texts && new Set(texts).size > 1) mixed.push(texts);
      if (texts) whole += 1;
    }
    await writer;
    expect(mixed).toEqual([]);
    expect(whole).toBeGreaterThan(0);
  });
});
