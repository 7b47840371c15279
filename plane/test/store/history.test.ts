// The past that a store remembers for its followers, and followers that fail.
import { describe, expect, it } from 'vitest';
import { openSqliteStore } from '../../src/store/sqlite-store.ts';
import { committed, drop, put, storeFile } from '../support/store.ts';

const MB = 1024 * 1024;
const large = (n: number) => put('large', { n, text: 'x'.repeat(MB) }, { durable: false });

describe('the remembered past', () => {
  // The bug this found: ten thousand changes were kept whatever their size, ten gigabytes of them if it came to that.
  it('of large objects is short, and what is forgotten is said to be expired', async () => {
    const store = storeFile().open();
    const start = store.version();
    for (let n = 0; n < 60; n++) await committed(store, [large(n)]);
    const all: unknown[] = [];
    const watch = store.watch('things', start, ({ value }) => all.push(value?.n));
    expect(all).toEqual(Array.from({ length: 60 }, (_, n) => n));
    for (let n = 60; n < 90; n++) await committed(store, [large(n)]);
    expect(store.watch('things', start, () => {})).toBe('expired');
    // Who follows already misses nothing.
    expect(all).toHaveLength(90);
    if (watch !== 'expired') watch.close();
    const recent: unknown[] = [];
    expect(store.watch('things', store.version() - 3, ({ value }) => recent.push(value?.n))).not.toBe(
      'expired',
    );
    expect(recent).toEqual([87, 88, 89]);
    await store.close();
  });

  it('counts what is gone, and not what is there anyhow', async () => {
    const store = storeFile().open();
    const start = store.version();
    const one = (n: number) => put(`one-${n}`, { text: 'x'.repeat(MB) }, { durable: false });
    for (let n = 0; n < 80; n++) await committed(store, [one(n)]);
    expect(store.watch('things', start, () => {})).not.toBe('expired');
    for (let n = 0; n < 80; n++) await committed(store, [drop(`one-${n}`, { durable: false })]);
    expect(store.watch('things', start, () => {})).toBe('expired');
    await store.close();
  });

  it('of another collection is not shortened by it', async () => {
    const store = storeFile().open();
    const start = store.version();
    await committed(store, [put('small', {}, { collection: 'others' })]);
    for (let n = 0; n < 90; n++) await committed(store, [large(n)]);
    expect(store.watch('others', start, () => {})).not.toBe('expired');
    await store.close();
  });
});

describe('a follower that throws', () => {
  // The bug this found: the write was on disk, but whoever waited for it was never answered, and others were not told.
  it('is reported, and neither the writers nor the other followers notice', async () => {
    const failures: unknown[] = [];
    const store = openSqliteStore(storeFile().path, (error) => failures.push(error));
    const told: string[] = [];
    const broken = new Error('broken');
    store.watch('things', store.version(), () => {
      throw broken;
    });
    store.watch('things', store.version(), ({ id }) => told.push(id));
    await Promise.all([committed(store, [put('a')]), committed(store, [put('b')])]);
    await committed(store, [put('c')]);
    expect(told).toEqual(['a', 'b', 'c']);
    expect(failures).toEqual([broken, broken, broken]);
    await store.close();
  });
});
