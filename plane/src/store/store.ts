// What the plane keeps: objects in collections, each write with a version of one counter, changes to follow from
// a version on. Small enough that a file on disk and a cluster store can both be it.

/** JSON. A value that has `metadata` carries its version there as resourceVersion. */
export type StoredValue = { readonly [field: string]: unknown };

export interface Stored<T = StoredValue> {
  readonly id: string;
  readonly version: number;
  readonly value: T;
}

export interface Change<T = StoredValue> {
  readonly id: string;
  readonly version: number;
  /** Absent when it was deleted. */
  readonly value?: T;
  /** What it was before; absent when it is new. */
  readonly previous?: T;
}

export interface Write {
  readonly collection: string;
  readonly id: string;
  /** Absent deletes. */
  readonly value?: StoredValue;
  /** The version it must have now, or that it must not exist. Absent: whatever it is. */
  readonly expect?: number | 'absent';
  /** False for observed state that may be lost with the process: seen and followed alike, but not on disk. */
  readonly durable: boolean;
}

export type CommitResult =
  | { readonly committed: true; readonly versions: readonly number[] }
  | { readonly committed: false; readonly conflict: { readonly collection: string; readonly id: string } };

/** The store could not write. Nothing of the batch is kept. */
export class StoreFailure extends Error {
  override readonly name = 'StoreFailure';
}

export interface Watch {
  readonly close: () => void;
}

/** What is kept of one collection. */
export interface CollectionSize {
  readonly collection: string;
  readonly objects: number;
  /** The past that can still be followed, and about how many bytes of memory it costs. */
  readonly changes: number;
  readonly changesBytes: number;
}

export interface Store {
  /** Of the newest write. */
  readonly version: () => number;
  /** Grows with each opening of the store, for the generations of what nodes are told. */
  readonly epoch: number;
  readonly get: (collection: string, id: string) => Stored | undefined;
  readonly list: (collection: string) => Iterable<Stored>;
  /** All of the batch or nothing; when it resolves, durable writes are on disk. Rejects with StoreFailure. */
  readonly commit: (writes: readonly Write[]) => Promise<CommitResult>;
  /** Every change after `from`, the past ones at once. 'expired' when the past is no longer known that far. */
  readonly watch: (collection: string, from: number, onChange: (change: Change) => void) => Watch | 'expired';
  readonly sizes: () => Iterable<CollectionSize>;
  /** The last write that was to reach the disk did not. */
  readonly isFailing: () => boolean;
  /** Writes what is not durable yet, so that a planned restart forgets nothing. */
  readonly close: () => Promise<void>;
}
