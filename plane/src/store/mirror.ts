// The whole store in memory: reads, the recent past of every collection, and who follows it.
import type { Change, CollectionSize, Stored, StoredValue, Watch } from './store.ts';

/** Of each collection; whichever is reached first. */
const HISTORY_LIMIT = 10_000;
const HISTORY_LIMIT_BYTES = 64 * 1024 * 1024;

interface Remembered {
  readonly change: Change;
  /** About what memory it costs that it is remembered. */
  readonly bytes: number;
}

interface Collection {
  readonly objects: Map<string, Stored>;
  readonly history: Remembered[];
  historyBytes: number;
  /** Changes up to this version are no longer in the history. */
  forgottenUpTo: number;
  readonly followers: Set<(change: Change) => void>;
}

export interface Mirror {
  readonly get: (collection: string, id: string) => Stored | undefined;
  readonly list: (collection: string) => Iterable<Stored>;
  readonly collections: () => Iterable<string>;
  readonly sizes: () => Iterable<CollectionSize>;
  /** Puts what was on disk when the store was opened: no change, no followers. */
  readonly load: (collection: string, stored: Stored) => void;
  readonly apply: (collection: string, id: string, version: number, value: StoredValue | undefined) => void;
  readonly watch: (collection: string, from: number, onChange: (change: Change) => void) => Watch | 'expired';
}

/**
 * `startVersion`: nothing before it can be followed. `onFollowerFailure`: a follower threw; the others were told all
 * the same.
 */
export function createMirror(startVersion: number, onFollowerFailure: (error: unknown) => void): Mirror {
  const collections = new Map<string, Collection>();
  const collectionOf = (name: string): Collection => {
    let collection = collections.get(name);
    if (!collection) {
      collection = {
        objects: new Map(),
        history: [],
        historyBytes: 0,
        forgottenUpTo: startVersion,
        followers: new Set(),
      };
      collections.set(name, collection);
    }
    return collection;
  };
  return {
    get: (name, id) => collections.get(name)?.objects.get(id),
    list: (name) => collections.get(name)?.objects.values() ?? [],
    collections: () => collections.keys(),
    sizes: () =>
      [...collections].map(([collection, { objects, history, historyBytes }]) => ({
        collection,
        objects: objects.size,
        changes: history.length,
        changesBytes: historyBytes,
      })),
    load: (name, stored) => void collectionOf(name).objects.set(stored.id, stored),
    apply: (name, id, version, value) => {
      const collection = collectionOf(name);
      const change = applyChange(collection, id, version, value);
      if (change) tell(collection, change, onFollowerFailure);
    },
    watch: (name, from, onChange) => follow(collectionOf(name), from, onChange),
  };
}

/** Undefined when nothing changed. */
function applyChange(
  collection: Collection,
  id: string,
  version: number,
  value: StoredValue | undefined,
): Change | undefined {
  const previous = collection.objects.get(id)?.value;
  if (value === undefined) {
    if (previous === undefined) return undefined;
    collection.objects.delete(id);
  } else collection.objects.set(id, { id, version, value });
  const change: Change = {
    id,
    version,
    ...(value === undefined ? {} : { value }),
    ...(previous === undefined ? {} : { previous }),
  };
  remember(collection, change);
  return change;
}

function tell(collection: Collection, change: Change, onFailure: (error: unknown) => void): void {
  for (const follower of [...collection.followers])
    try {
      follower(change);
    } catch (error) {
      onFailure(error);
    }
}

function remember(collection: Collection, change: Change): void {
  // The new value is in the store anyhow; what the history alone keeps alive is what it replaced.
  const bytes = approximateBytes(change.previous);
  collection.history.push({ change, bytes });
  collection.historyBytes += bytes;
  if (collection.history.length > HISTORY_LIMIT || collection.historyBytes > HISTORY_LIMIT_BYTES)
    forgetHalf(collection);
}

/** Down to half of what is allowed, so that it is seldom done. */
function forgetHalf(collection: Collection): void {
  const { history } = collection;
  let count = 0;
  while (
    count < history.length &&
    (history.length - count > HISTORY_LIMIT / 2 + 1 || collection.historyBytes > HISTORY_LIMIT_BYTES / 2)
  ) {
    collection.historyBytes -= history[count]?.bytes ?? 0;
    count += 1;
  }
  const forgotten = history.splice(0, count);
  collection.forgottenUpTo = forgotten.at(-1)?.change.version ?? collection.forgottenUpTo;
}

/** Of what an object, a list, or a field costs beside its text. */
const FIELD_BYTES = 16;

/** Cheap, and near enough for a limit: texts count by their length. */
function approximateBytes(value: unknown): number {
  if (typeof value === 'string') return FIELD_BYTES + value.length;
  if (typeof value !== 'object' || value === null) return FIELD_BYTES;
  let bytes = FIELD_BYTES;
  // Names of fields are shared between objects of a kind; keys of maps are not, and are short.
  for (const entry of Object.values(value)) bytes += FIELD_BYTES + approximateBytes(entry);
  return bytes;
}

function follow(collection: Collection, from: number, onChange: (change: Change) => void): Watch | 'expired' {
  if (from < collection.forgottenUpTo) return 'expired';
  const before = collection.history.findLastIndex(({ change }) => change.version <= from);
  for (const { change } of collection.history.slice(before + 1)) onChange(change);
  collection.followers.add(onChange);
  return { close: () => void collection.followers.delete(onChange) };
}
