// The whole store in memory: reads, the recent past of every collection, and who follows it.
import type { Change, Stored, StoredValue, Watch } from './store.ts';

const HISTORY_LIMIT = 10_000;

interface Collection {
  readonly objects: Map<string, Stored>;
  readonly history: Change[];
  /** Changes up to this version are no longer in the history. */
  forgottenUpTo: number;
  readonly followers: Set<(change: Change) => void>;
}

export interface Mirror {
  readonly get: (collection: string, id: string) => Stored | undefined;
  readonly list: (collection: string) => Iterable<Stored>;
  readonly collections: () => Iterable<string>;
  /** Puts what was on disk when the store was opened: no change, no followers. */
  readonly load: (collection: string, stored: Stored) => void;
  readonly apply: (collection: string, id: string, version: number, value: StoredValue | undefined) => void;
  readonly watch: (collection: string, from: number, onChange: (change: Change) => void) => Watch | 'expired';
}

/** `startVersion`: nothing before it can be followed. */
export function createMirror(startVersion: number): Mirror {
  const collections = new Map<string, Collection>();
  const collectionOf = (name: string): Collection => {
    let collection = collections.get(name);
    if (!collection) {
      collection = { objects: new Map(), history: [], forgottenUpTo: startVersion, followers: new Set() };
      collections.set(name, collection);
    }
    return collection;
  };
  return {
    get: (name, id) => collections.get(name)?.objects.get(id),
    list: (name) => collections.get(name)?.objects.values() ?? [],
    collections: () => collections.keys(),
    load: (name, stored) => void collectionOf(name).objects.set(stored.id, stored),
    apply: (name, id, version, value) => applyChange(collectionOf(name), id, version, value),
    watch: (name, from, onChange) => follow(collectionOf(name), from, onChange),
  };
}

function applyChange(
  collection: Collection,
  id: string,
  version: number,
  value: StoredValue | undefined,
): void {
  const previous = collection.objects.get(id)?.value;
  if (value === undefined) {
    if (previous === undefined) return;
    collection.objects.delete(id);
  } else collection.objects.set(id, { id, version, value });
  const change: Change = {
    id,
    version,
    ...(value === undefined ? {} : { value }),
    ...(previous === undefined ? {} : { previous }),
  };
  collection.history.push(change);
  if (collection.history.length > HISTORY_LIMIT) forgetHalf(collection);
  for (const follower of [...collection.followers]) follower(change);
}

function forgetHalf(collection: Collection): void {
  const forgotten = collection.history.splice(0, HISTORY_LIMIT / 2);
  collection.forgottenUpTo = forgotten.at(-1)?.version ?? collection.forgottenUpTo;
}

function follow(collection: Collection, from: number, onChange: (change: Change) => void): Watch | 'expired' {
  if (from < collection.forgottenUpTo) return 'expired';
  for (const change of collection.history) if (change.version > from) onChange(change);
  collection.followers.add(onChange);
  return { close: () => void collection.followers.delete(onChange) };
}
