// Maps that are others but for a few entries: a large one is not copied whenever one of its entries changes.

/** Of a Map what its users need. */
export interface Amendable<V> extends Iterable<readonly [key: string, value: V]> {
  readonly size: number;
  readonly has: (key: string) => boolean;
  readonly get: (key: string) => V | undefined;
  readonly keys: () => Iterable<string>;
}

/** So many entries are others until all are copied. */
const MOST_CHANGES = 100;

/** `before` stays as it is. undefined: the entry is gone. */
export function amended<V>(before: Amendable<V>, changes: ReadonlyMap<string, V | undefined>): Amendable<V> {
  const [base, known] = before instanceof Amended ? [before.base, before.changes] : [before, NOTHING];
  const all = new Map<string, V | undefined>([...known, ...changes]);
  return all.size > MOST_CHANGES ? new Map(entriesOf(base, all)) : new Amended<V>(base, all);
}

const NOTHING: ReadonlyMap<string, never> = new Map<string, never>();

class Amended<V> implements Amendable<V> {
  readonly base: Amendable<V>;
  readonly changes: ReadonlyMap<string, V | undefined>;
  readonly size: number;

  constructor(base: Amendable<V>, changes: ReadonlyMap<string, V | undefined>) {
    this.base = base;
    this.changes = changes;
    let size = base.size;
    for (const [key, value] of changes) size += Number(value !== undefined) - Number(base.has(key));
    this.size = size;
  }

  get(key: string): V | undefined {
    return this.changes.has(key) ? this.changes.get(key) : this.base.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  *keys(): Generator<string> {
    for (const [key] of this) yield key;
  }

  [Symbol.iterator](): Iterator<readonly [string, V]> {
    return entriesOf(this.base, this.changes);
  }
}

function* entriesOf<V>(
  base: Amendable<V>,
  changes: ReadonlyMap<string, V | undefined>,
): Generator<readonly [string, V]> {
  for (const entry of base) if (!changes.has(entry[0])) yield entry;
  for (const [key, value] of changes) if (value !== undefined) yield [key, value];
}
