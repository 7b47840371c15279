// The store on one SQLite file: write-ahead log, synchronous FULL, and all writes that wait at one moment in one
// transaction. The only file that opens a database.
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { createMirror, type Mirror } from './mirror.ts';
import { type CommitResult, type Store, type StoredValue, StoreFailure, type Write } from './store.ts';

/** Version numbers are promised to the disk in blocks, so that none is ever used twice. */
const VERSION_BLOCK = 100_000;
/** So many batches that stay in memory. */
const PROBE_EVERY = 10;

const keyOf = (collection: string, id: string): string => `${collection}\n${id}`;

interface PendingBatch {
  readonly writes: readonly Write[];
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: StoreFailure) => void;
}

interface Statements {
  readonly put: StatementSync;
  readonly remove: StatementSync;
  readonly setNumber: StatementSync;
}

/** `onFollowerFailure`: somebody who follows changes threw; the write and the others were not touched by it. */
export function openSqliteStore(
  path: string,
  onFollowerFailure: (error: unknown) => void = warnOfFollower,
): Store {
  const database = openDatabase(path);
  const statements: Statements = {
    put: database.prepare(
      'INSERT OR REPLACE INTO objects (collection, id, version, value) VALUES (?, ?, ?, ?)',
    ),
    remove: database.prepare('DELETE FROM objects WHERE collection = ? AND id = ?'),
    setNumber: database.prepare('INSERT OR REPLACE INTO numbers (name, value) VALUES (?, ?)'),
  };
  const epoch = readNumber(database, 'epoch') + 1;
  let version = readNumber(database, 'version_ceiling');
  let ceiling = version + VERSION_BLOCK;
  statements.setNumber.run('epoch', epoch);
  statements.setNumber.run('version_ceiling', ceiling);
  const mirror = createMirror(version, onFollowerFailure);
  const onDisk = loadAll(database, mirror);
  /** Objects whose newest value is only in memory. */
  const volatile = new Map<string, { readonly collection: string; readonly id: string }>();
  let pending: PendingBatch[] = [];
  let closed = false;
  let failing = false;

  let sinceProbe = 0;
  /** Whether the disk takes something again: it may be long until something durable is written. */
  const probe = () => {
    if (!failing || sinceProbe++ % PROBE_EVERY !== 0) return;
    try {
      transact(database, () => statements.setNumber.run('version_ceiling', ceiling));
      failing = false;
    } catch {
      // Who asks is told already.
    }
  };

  const flush = () => {
    const batches = pending;
    pending = [];
    if (batches.length === 0) return;
    const { accepted, results, lastVersion } = decideBatches(batches, mirror, version);
    // What was written at the last planned stop must not come back once it is deleted.
    const reachesDisk = ({ collection, id, value, durable }: Write) =>
      durable || (value === undefined && onDisk.has(keyOf(collection, id)));
    const nextCeiling = lastVersion >= ceiling ? lastVersion + VERSION_BLOCK : ceiling;
    try {
      if (nextCeiling > ceiling || accepted.some(reachesDisk)) {
        transact(database, () => {
          if (nextCeiling > ceiling) statements.setNumber.run('version_ceiling', nextCeiling);
          for (const write of accepted) if (reachesDisk(write)) writeOne(statements, write);
        });
        failing = false;
      }
    } catch (error) {
      failing = true;
      sinceProbe = 0;
      for (const batch of batches) batch.reject(error as StoreFailure);
      return;
    }
    // Only what is on the disk is promised.
    ceiling = nextCeiling;
    version = lastVersion;
    for (const write of accepted) {
      mirror.apply(write.collection, write.id, write.version, write.value);
      const key = keyOf(write.collection, write.id);
      if (write.value === undefined) onDisk.delete(key);
      else if (write.durable) onDisk.add(key);
      if (write.durable || write.value === undefined) volatile.delete(key);
      else volatile.set(key, write);
    }
    for (const [index, batch] of batches.entries()) batch.resolve(results[index] as CommitResult);
    probe();
  };

  return {
    version: () => version,
    epoch,
    get: mirror.get,
    list: mirror.list,
    watch: mirror.watch,
    sizes: mirror.sizes,
    isFailing: () => failing,
    commit: (writes) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new StoreFailure('the store is closed'));
        if (pending.length === 0) setImmediate(flush);
        pending.push({ writes, resolve, reject });
      }),
    close: async () => {
      if (closed) return;
      flush();
      closed = true;
      try {
        transact(database, () => {
          for (const { collection, id } of volatile.values()) {
            const stored = mirror.get(collection, id);
            if (stored) statements.put.run(collection, id, stored.version, JSON.stringify(stored.value));
          }
          statements.setNumber.run('version_ceiling', version + 1);
        });
      } finally {
        database.close();
      }
    },
  };
}

const warnOfFollower = (error: unknown): void =>
  process.emitWarning(error instanceof Error ? error : String(error));

function openDatabase(path: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    prepareDatabase(database);
    return database;
  } catch (error) {
    database?.close();
    throw new StoreFailure(whyNotOpened(path, error), { cause: error });
  }
}

/** SQLite's error code for a file that another process holds. */
const BUSY = 5;

const whyNotOpened = (path: string, error: unknown): string =>
  (error as { errcode?: number }).errcode === BUSY
    ? `another plane is running and uses ${path}: stop it, or give this one a data directory of its own`
    : `cannot open ${path}: ${(error as Error).message}`;

function prepareDatabase(database: DatabaseSync): void {
  database.exec(`
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA busy_timeout = 2000;
    CREATE TABLE IF NOT EXISTS objects (
      collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL,
      PRIMARY KEY (collection, id)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
  `);
}

function readNumber(database: DatabaseSync, name: string): number {
  const row = database.prepare('SELECT value FROM numbers WHERE name = ?').get(name);
  return typeof row?.value === 'number' ? row.value : 0;
}

/** Answers which objects the disk has. */
function loadAll(database: DatabaseSync, mirror: Mirror): Set<string> {
  const onDisk = new Set<string>();
  for (const row of database.prepare('SELECT collection, id, version, value FROM objects').iterate()) {
    const value = JSON.parse(String(row.value)) as StoredValue;
    mirror.load(String(row.collection), { id: String(row.id), version: Number(row.version), value });
    onDisk.add(keyOf(String(row.collection), String(row.id)));
  }
  return onDisk;
}

type NumberedWrite = Write & { readonly version: number };

/** Which batches hold against the store as it is and against those before them; numbers their writes. */
function decideBatches(batches: readonly PendingBatch[], mirror: Mirror, startVersion: number) {
  const overlay = new Map<string, number | undefined>();
  const accepted: NumberedWrite[] = [];
  const results: CommitResult[] = [];
  let lastVersion = startVersion;
  const versionOf = ({ collection, id }: Write): number | undefined => {
    const key = keyOf(collection, id);
    return overlay.has(key) ? overlay.get(key) : mirror.get(collection, id)?.version;
  };
  for (const { writes } of batches) {
    const conflict = writes.find(
      (write) =>
        write.expect !== undefined &&
        (write.expect === 'absent' ? versionOf(write) !== undefined : versionOf(write) !== write.expect),
    );
    if (conflict) {
      results.push({ committed: false, conflict: { collection: conflict.collection, id: conflict.id } });
      continue;
    }
    const versions: number[] = [];
    for (const write of writes) {
      lastVersion += 1;
      versions.push(lastVersion);
      overlay.set(keyOf(write.collection, write.id), write.value === undefined ? undefined : lastVersion);
      accepted.push({ ...stamped(write, lastVersion), version: lastVersion });
    }
    results.push({ committed: true, versions });
  }
  return { accepted, results, lastVersion };
}

function stamped(write: Write, version: number): Write {
  const metadata = write.value?.metadata;
  if (typeof metadata !== 'object' || metadata === null) return write;
  return { ...write, value: { ...write.value, metadata: { ...metadata, resourceVersion: String(version) } } };
}

function writeOne(statements: Statements, { collection, id, version, value }: NumberedWrite): void {
  if (value === undefined) statements.remove.run(collection, id);
  else statements.put.run(collection, id, version, JSON.stringify(value));
}

/** All of `write` or nothing. Throws StoreFailure. */
function transact(database: DatabaseSync, write: () => void): void {
  try {
    database.exec('BEGIN IMMEDIATE');
    write();
    database.exec('COMMIT');
  } catch (error) {
    rollBack(database);
    throw new StoreFailure(`the store could not write: ${(error as Error).message}`, { cause: error });
  }
}

function rollBack(database: DatabaseSync): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // No transaction was open: the failure was in BEGIN.
  }
}
