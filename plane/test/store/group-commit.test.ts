// Many commits of one moment are one transaction: counted in SQLite's own log.
import { describe, expect, it } from 'vitest';
import { committed, drop, onDisk, put, storeFile, transactionsInLog } from '../support/store.ts';

describe('group commit', () => {
  it('writes all commits of one tick in one transaction', async () => {
    const file = storeFile();
    const store = file.open();
    const before = transactionsInLog(file);
    await Promise.all(Array.from({ length: 200 }, (_, index) => committed(store, [put(`a${index}`)])));
    expect(transactionsInLog(file) - before).toBe(1);
    expect(onDisk(file, 'things').size).toBe(200);
    // The counter counts: commits that wait for one another are one transaction each.
    for (let index = 0; index < 5; index++) await committed(store, [put(`b${index}`)]);
    expect(transactionsInLog(file) - before).toBe(6);
    await store.close();
  });

  it('touches the disk for no volatile write, nor for the deletion of one', async () => {
    const file = storeFile();
    const store = file.open();
    const before = transactionsInLog(file);
    for (let index = 0; index < 50; index++)
      await committed(store, [put(`a${index}`, {}, { durable: false })]);
    await committed(store, [drop('a1', { durable: false })]);
    expect(transactionsInLog(file)).toBe(before);
    await store.close();
  });

  it('resolves only when the write is on disk', async () => {
    const file = storeFile();
    const store = file.open();
    for (let index = 0; index < 20; index++) {
      await committed(store, [put(`a${index}`)]);
      expect(onDisk(file, 'things').has(`a${index}`)).toBe(true);
    }
    await store.close();
  });
});
