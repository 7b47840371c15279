// What the store asks of SQLite, asked of the very connection it writes through.
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { storeFile } from '../support/store.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the connection of a store', () => {
  // Seen failing with `PRAGMA synchronous = OFF` and `= NORMAL`, under which a power cut may take what was promised.
  it('logs ahead and waits for the disk at each commit', async () => {
    const exec = vi.spyOn(DatabaseSync.prototype, 'exec');
    const store = storeFile().open();
    const database = exec.mock.contexts[0] as unknown as DatabaseSync;
    const FULL = 2;
    expect(database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: FULL });
    expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    await store.close();
  });
});
