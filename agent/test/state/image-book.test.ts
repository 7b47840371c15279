// What is remembered of images: which are ours, and which a rollback may need.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ImageBook, openImageBook } from '../../src/state/image-book.ts';
import { tempDirectory } from '../temp-directory.ts';

const open = async (directory: string) => {
  const failures: unknown[] = [];
  return { book: await openImageBook(directory, (error) => failures.push(error)), failures };
};
const ours = (book: ImageBook) => book.pulled().map(({ id, names }) => `${id}: ${names.join(' ')}`);
const template = (name: string) => ({ templateHash: name, images: [`image-of-${name}`] });

describe('an image is ours', () => {
  it('when its name meant nothing before we pulled it, also after a restart', async () => {
    const directory = await tempDirectory();
    const { book } = await open(directory);
    await book.add('docker.io/library/web', 'a', undefined, 5);
    await book.add('built-here:1', 'b', 'b', 6);
    expect(ours(book)).toEqual(['a: web:latest']);
    expect(ours((await open(directory)).book)).toEqual(['a: web:latest']);
  });

  it('and stays ours without a name when the name is pulled anew and means another', async () => {
    const { book } = await open(await tempDirectory());
    await book.add('web', 'a', undefined, 5);
    await book.add('web', 'b', 'a', 6);
    await book.add('also', 'b', undefined, 7);
    expect(ours(book)).toEqual(['a: ', 'b: web:latest also:latest']);
    await book.keepOnly(new Set(['b']));
    expect(ours(book)).toEqual(['b: web:latest also:latest']);
    expect(book.pulled()[0]?.pulledAt).toBe(6);
  });

  it('no more when the book is damaged: then none is removed', async () => {
    const directory = await tempDirectory();
    await writeFile(join(directory, 'images.json'), '{"pulled": 7');
    const { book, failures } = await open(directory);
    expect([ours(book), failures.length]).toEqual([[], 1]);
    await book.add('web', 'a', undefined, 5);
    expect(ours((await open(directory)).book)).toEqual(['a: web:latest']);
  });
});

describe('the templates that worked', () => {
  it('are the last two of each DaemonSet', async () => {
    const directory = await tempDirectory();
    const { book } = await open(directory);
    for (const name of ['r1', 'r2', 'r3']) book.noteWorking('web', [template(name)]);
    book.noteWorking('log', [template('l1')]);
    expect(book.workingImages()).toEqual(['image-of-r3', 'image-of-r2', 'image-of-l1']);
    await book.flush();
    expect((await open(directory)).book.workingImages()).toEqual(book.workingImages());
    book.keepSets(new Set(['log']));
    expect(book.workingImages()).toEqual(['image-of-l1']);
    book.noteWorking('log', [template('l2')]);
    await book.flush();
    expect((await open(directory)).book.workingImages()).toEqual(['image-of-l2', 'image-of-l1']);
  });

  it('one that came back is not forgotten for the one that failed', async () => {
    const { book } = await open(await tempDirectory());
    for (const name of ['stable', 'bad', 'stable', 'worse', 'stable'])
      book.noteWorking('web', [template(name)]);
    expect(book.workingImages()).toEqual(['image-of-stable', 'image-of-worse']);
  });

  it('two that work at once are written once, not with each report', async () => {
    const directory = await tempDirectory();
    const { book } = await open(directory);
    book.noteWorking('web', [template('r1'), template('r2')]);
    await book.flush();
    await writeFile(join(directory, 'images.json'), 'untouched');
    for (let report = 0; report < 3; report++) book.noteWorking('web', [template('r2'), template('r1')]);
    await book.flush();
    expect(await readFile(join(directory, 'images.json'), 'utf8')).toBe('untouched');
  });
});
