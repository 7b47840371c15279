// Versions of the store: they only grow, over everything that can happen to the process.
import { describe, expect, it } from 'vitest';
import type { Change } from '../../src/store/store.ts';
import { afterPowerCut, committed, drop, onDisk, put, storeFile } from '../support/store.ts';

describe('versions', () => {
  it('grow with each write, and every object carries its own as resourceVersion', async () => {
    const store = storeFile().open();
    const versions = await committed(store, [put('a'), put('b'), put('c', { no: 'metadata' })]);
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(new Set(versions).size).toBe(3);
    expect(store.version()).toBe(versions[2]);
    expect(store.get('things', 'b')).toEqual({
      id: 'b',
      version: versions[1],
      value: { metadata: { resourceVersion: String(versions[1]) } },
    });
    expect(store.get('things', 'c')?.value).toEqual({ no: 'metadata' });
    await store.close();
  });

  it('go on after a planned stop, and after a power cut that lost volatile writes', async () => {
    const file = storeFile();
    const first = file.open();
    const [before = 0] = await committed(first, [put('a')]);
    // Seen by clients, never on disk: its number is spent all the same.
    const [seen = 0] = await committed(first, [put('b', { metadata: {} }, { durable: false })]);
    const cut = afterPowerCut(file).open();
    await first.close();
    const planned = file.open();
    for (const reopened of [cut, planned]) {
      const [next = 0] = await committed(reopened, [put('c')]);
      expect(seen).toBeGreaterThan(before);
      expect(next).toBeGreaterThan(seen);
      await reopened.close();
    }
  });

  // Seen failing when the ceiling is kept in memory although its transaction was rolled back (see disk-full.test.ts),
  // and when `version_ceiling` is not written at all.
  it('never repeat when more numbers were spent on volatile writes than one block holds', async () => {
    const file = storeFile();
    const store = file.open();
    const many = Array.from({ length: 25_000 }, (_, index) => put(`v${index % 100}`, {}, { durable: false }));
    let last = 0;
    for (let round = 0; round < 5; round++) last = (await committed(store, many)).at(-1) ?? 0;
    const cut = afterPowerCut(file).open();
    expect((await committed(cut, [put('a')]))[0]).toBeGreaterThan(last);
    await Promise.all([store.close(), cut.close()]);
  });

  it('count openings as epochs', async () => {
    const file = storeFile();
    const epochs: number[] = [];
    for (let round = 0; round < 3; round++) {
      const store = file.open();
      epochs.push(store.epoch);
      await store.close();
    }
    expect(epochs).toEqual([1, 2, 3]);
  });
});

describe('compare and swap', () => {
  it.each([
    [
      'a version that is not the newest conflicts',
      (v: number) => put('a', { n: 2 }, { expect: v - 1 }),
      false,
    ],
    ['the newest version goes through', (v: number) => put('a', { n: 2 }, { expect: v }), true],
    ['absent conflicts with what is there', () => put('a', { n: 2 }, { expect: 'absent' }), false],
    ['absent goes through where nothing is', () => put('new', { n: 2 }, { expect: 'absent' }), true],
    ['no expectation always goes through', () => put('a', { n: 2 }), true],
    ['a deletion is compared too', (v: number) => drop('a', { expect: v - 1 }), false],
  ] as const)('%s', async (_, write, goesThrough) => {
    const store = storeFile().open();
    const [version = 0] = await committed(store, [put('a', { n: 1 })]);
    const result = await store.commit([write(version)]);
    expect(result.committed).toBe(goesThrough);
    if (!result.committed) expect(result.conflict).toEqual({ collection: 'things', id: 'a' });
    if (!goesThrough) expect(store.get('things', 'a')).toEqual({ id: 'a', version, value: { n: 1 } });
    await store.close();
  });

  it('lets exactly one of many writers win that all saw the same version in one tick', async () => {
    const store = storeFile().open();
    const [version = 0] = await committed(store, [put('a', { by: -1 })]);
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, by) => store.commit([put('a', { by }, { expect: version })])),
    );
    const winners = results.flatMap(({ committed: won }, by) => (won ? [by] : []));
    expect(winners).toEqual([0]);
    expect(store.get('things', 'a')?.value).toEqual({ by: 0 });
    await store.close();
  });

  it('applies nothing of a batch of which one write conflicts, in memory, on disk and to followers', async () => {
    const file = storeFile();
    const store = file.open();
    await committed(store, [put('taken')]);
    const changes: Change[] = [];
    store.watch('things', store.version(), (change) => changes.push(change));
    const result = await store.commit([
      put('one'),
      put('taken', {}, { expect: 'absent' }),
      drop('taken'),
      put('two'),
    ]);
    expect(result.committed).toBe(false);
    await committed(store, [put('other')]);
    expect(changes.map(({ id }) => id)).toEqual(['other']);
    expect([...store.list('things')].map(({ id }) => id)).toEqual(['taken', 'other']);
    expect([...onDisk(file, 'things').keys()].sort()).toEqual(['other', 'taken']);
    await store.close();
  });
});

describe('volatile writes', () => {
  it('are seen and followed like others, lost in a power cut, and kept over a planned stop', async () => {
    const file = storeFile();
    const store = file.open();
    const seen: string[] = [];
    store.watch('things', store.version(), ({ id }) => seen.push(id));
    await committed(store, [put('pod', { n: 1 }, { durable: false })]);
    expect(seen).toEqual(['pod']);
    expect(store.get('things', 'pod')?.value).toEqual({ n: 1 });
    expect(onDisk(file, 'things').has('pod')).toBe(false);
    const version = store.get('things', 'pod')?.version;
    await store.close();
    const again = file.open();
    expect(again.get('things', 'pod')).toEqual({ id: 'pod', version, value: { n: 1 } });
    await again.close();
  });

  it('over a durable object lose only themselves in a power cut', async () => {
    const file = storeFile();
    const store = file.open();
    await committed(store, [put('ds', { spec: 1 })]);
    await committed(store, [put('ds', { spec: 1, status: 5 }, { durable: false })]);
    const cut = afterPowerCut(file).open();
    expect(cut.get('things', 'ds')?.value).toEqual({ spec: 1 });
    await Promise.all([store.close(), cut.close()]);
  });

  // Seen failing without `onDisk` in the store: the object of the last planned stop came back.
  it('that were kept over a planned stop do not come back after they are deleted', async () => {
    const file = storeFile();
    const first = file.open();
    await committed(first, [put('pod', { n: 1 }, { durable: false })]);
    await first.close();
    const second = file.open();
    await committed(second, [drop('pod', { durable: false })]);
    const cut = afterPowerCut(file).open();
    expect(cut.get('things', 'pod')).toBeUndefined();
    await Promise.all([second.close(), cut.close()]);
  });

  it('reach the disk at a planned stop only in their newest form, and not when deleted since', async () => {
    const file = storeFile();
    const store = file.open();
    for (const n of [1, 2, 3]) await committed(store, [put('pod', { n }, { durable: false })]);
    await committed(store, [put('gone', {}, { durable: false })]);
    await committed(store, [drop('gone', { durable: false })]);
    await store.close();
    expect([...onDisk(file, 'things')]).toEqual([['pod', { n: 3 }]]);
  });
});

describe('watch', () => {
  it('replays the past from a version and goes on live, each change once and in order', async () => {
    const store = storeFile().open();
    const [first = 0] = await committed(store, [put('a', { n: 1 })]);
    await committed(store, [put('a', { n: 2 }), put('b', { n: 3 })]);
    const changes: Change[] = [];
    const watch = store.watch('things', first, (change) => changes.push(change));
    await committed(store, [drop('a')]);
    expect(changes).toMatchObject([
      { id: 'a', value: { n: 2 }, previous: { n: 1 } },
      { id: 'b', value: { n: 3 } },
      { id: 'a', previous: { n: 2 } },
    ]);
    expect(changes[2]).not.toHaveProperty('value');
    expect(changes[1]).not.toHaveProperty('previous');
    const versions = changes.map(({ version }) => version);
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    if (watch !== 'expired') watch.close();
    await committed(store, [put('c')]);
    expect(changes).toHaveLength(3);
    await store.close();
  });

  it('is told nothing of other collections', async () => {
    const store = storeFile().open();
    const changes: Change[] = [];
    store.watch('others', store.version(), (change) => changes.push(change));
    await committed(store, [put('a'), put('x', {}, { collection: 'others' })]);
    expect(changes.map(({ id }) => id)).toEqual(['x']);
    await store.close();
  });

  it('is not told of the deletion of what is not there', async () => {
    const store = storeFile().open();
    const changes: Change[] = [];
    store.watch('things', store.version(), (change) => changes.push(change));
    await committed(store, [drop('ghost')]);
    expect(changes).toEqual([]);
    await store.close();
  });

  it('is expired when the past is no longer known that far, and not a version too early', async () => {
    const store = storeFile().open();
    const [first = 0] = await committed(store, [put('a', {})]);
    const many = Array.from({ length: 10_000 }, (_, n) => put('a', { n }, { durable: false }));
    await committed(store, many.slice(0, 9_999));
    const replayed: number[] = [];
    expect(store.watch('things', first - 1, ({ version }) => replayed.push(version))).not.toBe('expired');
    expect(replayed).toHaveLength(10_000);
    await committed(store, many.slice(0, 1));
    expect(store.watch('things', first - 1, () => {})).toBe('expired');
    expect(store.watch('things', first, () => {})).toBe('expired');
    const kept: number[] = [];
    expect(store.watch('things', store.version() - 3, ({ version }) => kept.push(version))).not.toBe(
      'expired',
    );
    expect(kept).toHaveLength(3);
    await store.close();
  });

  it('is expired from before a restart, and works from the version the store opened with', async () => {
    const file = storeFile();
    const first = file.open();
    const [old = 0] = await committed(first, [put('a')]);
    await first.close();
    const second = file.open();
    expect(second.watch('things', old, () => {})).toBe('expired');
    expect(second.watch('things', second.version(), () => {})).not.toBe('expired');
    await second.close();
  });
});
