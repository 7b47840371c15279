// The pods of a node: born once, known again after a restart, also when the file is lost.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openPodBook } from '../../src/state/pod-book.ts';
import { podRecord } from '../pods.ts';
import { smallDisk, smallDisksWork } from '../small-disk.ts';
import { tempDirectory } from '../temp-directory.ts';
import { until } from '../wait-until.ts';

const open = async (directory: string) => {
  const failures: unknown[] = [];
  const book = await openPodBook(directory, (error) => failures.push(error));
  return { ...book, failures };
};
const records = (book: Awaited<ReturnType<typeof open>>) => book.all().map(({ record }) => record);
const [first, second] = [podRecord(), podRecord()];

afterEach(() => {
  vi.useRealTimers();
});

describe('the pod book', () => {
  it('knows after a restart what was added, and not what was forgotten', async () => {
    const directory = await tempDirectory();
    const book = await open(directory);
    await book.add(first);
    await book.add(second);
    expect(records(await open(directory))).toEqual([first, second]);
    await book.forget(first.uid);
    expect(records(await open(directory))).toEqual([second]);
    expect(book.get(first.uid)).toBeUndefined();
  });

  it('keeps each of many changes made at once', async () => {
    const directory = await tempDirectory();
    const book = await open(directory);
    const many = Array.from({ length: 20 }, () => podRecord());
    await Promise.all(many.map((record) => book.add(record)));
    await Promise.all(many.slice(0, 10).map(({ uid }) => book.forget(uid)));
    expect(records(await open(directory))).toEqual(many.slice(10));
  });

  it('writes what was adopted, and conditions, with the next change', async () => {
    const directory = await tempDirectory();
    const book = await open(directory);
    book.adopt(first);
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2024-01-01T00:00:00Z' }];
    book.setSeen(first.uid, { conditions });
    book.setSeen('unknown', { conditions });
    expect(book.get(first.uid)).toEqual({ record: first, seen: { conditions } });
    await book.add(second);
    expect((await open(directory)).all()).toEqual([
      { record: first, seen: { conditions } },
      { record: second },
    ]);
  });

  it('writes them by itself a little later, or when the agent stops', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const directory = await tempDirectory();
    const book = await open(directory);
    book.adopt(first);
    await vi.advanceTimersByTimeAsync(10_000);
    await until('the adopted pod is on disk', async () => records(await open(directory)).length === 1);
    book.adopt(second);
    await book.flush();
    expect(records(await open(directory))).toEqual([first, second]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that was cut short anywhere is empty, says so, and can be written again', async () => {
    const directory = await tempDirectory();
    const path = join(directory, 'pods.json');
    await (await open(directory)).add(first);
    const whole = await readFile(path);
    for (let length = 0; length < whole.length; length++) {
      await writeFile(path, whole.subarray(0, length));
      const book = await open(directory);
      expect(book.all()).toEqual([]);
      expect(book.failures).toHaveLength(1);
    }
    const book = await open(directory);
    book.adopt(first);
    await book.flush();
    expect(records(await open(directory))).toEqual([first]);
  });

  it.each(['null', '{}', '[null]', '[{}]', '[{"record":{}}]', '"text"', '3'])(
    'that holds %s is as good as lost',
    async (text) => {
      const directory = await tempDirectory();
      await writeFile(join(directory, 'pods.json'), text);
      const book = await open(directory);
      expect(book.all()).toEqual([]);
      expect(book.failures).toHaveLength(1);
    },
  );

  it('that was lost is no trouble', async () => {
    const book = await open(await tempDirectory());
    expect([book.all(), book.failures]).toEqual([[], []]);
  });

  it.skipIf(!smallDisksWork)(
    'does not know a pod that a full disk could not take, and can be left all the same',
    async () => {
      const disk = smallDisk();
      const book = await open(disk.directory);
      await book.add(first);
      await disk.fill();
      const big = podRecord({ name: 'x'.repeat(9000) });
      await expect(book.add(big)).rejects.toMatchObject({ code: 'ENOSPC' });
      expect(records(book)).toEqual([first]);
      book.adopt(big);
      await book.flush();
      expect(book.failures).toHaveLength(1);
      expect(records(await open(disk.directory))).toEqual([first]);
      await disk.free();
      await book.add(second);
      expect(records(await open(disk.directory))).toEqual([first, big, second]);
    },
  );
});
