// Opening stores on files of their own, and reading what SQLite put on the disk without going through a store.
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteStore } from '../../src/store/sqlite-store.ts';
import type { Store, StoredValue, Write } from '../../src/store/store.ts';
import { tempDir } from './temp-dir.ts';

export interface StoreFile {
  readonly path: string;
  readonly open: () => Store;
}

export function storeFile(directory = tempDir('store')): StoreFile {
  const path = join(directory, 'plane.db');
  return { path, open: () => openSqliteStore(path) };
}

/** The file as a power cut would leave it now: what was not on disk is lost. */
export function afterPowerCut({ path }: StoreFile): StoreFile {
  const copy = storeFile();
  copyFileSync(path, copy.path);
  if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy.path}-wal`);
  return copy;
}

/** Ids and values of a collection, read by SQLite itself from a copy. */
export function onDisk(file: StoreFile, collection: string): Map<string, StoredValue> {
  const database = new DatabaseSync(afterPowerCut(file).path);
  const rows = database.prepare('SELECT id, value FROM objects WHERE collection = ?').all(collection);
  database.close();
  return new Map(rows.map((row) => [String(row.id), JSON.parse(String(row.value)) as StoredValue]));
}

/** How many transactions the write-ahead log holds: frames that carry the size of the database end one. */
export function transactionsInLog({ path }: StoreFile): number {
  const log = readFileSync(`${path}-wal`);
  if (log.length < 32) return 0;
  const pageSize = log.readUInt32BE(8);
  const salt = log.subarray(16, 24);
  let count = 0;
  for (let at = 32; at + 24 + pageSize <= log.length; at += 24 + pageSize) {
    if (!log.subarray(at + 8, at + 16).equals(salt)) break;
    if (log.readUInt32BE(at + 4) !== 0) count += 1;
  }
  return count;
}

export const put = (id: string, value: StoredValue = { metadata: {} }, more: Partial<Write> = {}): Write => ({
  collection: 'things',
  id,
  value,
  durable: true,
  ...more,
});

export const drop = (id: string, more: Partial<Write> = {}): Write => ({
  collection: 'things',
  id,
  durable: true,
  ...more,
});

/** The versions of a commit that must go through. */
export async function committed(store: Store, writes: readonly Write[]): Promise<readonly number[]> {
  const result = await store.commit(writes);
  if (!result.committed) throw new Error(`conflict on ${result.conflict.id}`);
  return result.versions;
}
