// Bodies by the hash of their content: templates and placement rules, each sent to an agent at most once.
import { createHash } from 'node:crypto';
import { canonicalJson } from '@fleetset/scheduler-core/canonical-json';
import { ownBytes } from '../own-bytes.ts';

export interface BodyBook {
  /** The hash of a value's text; the same object is not hashed twice. */
  readonly hashOf: (value: object) => string;
  readonly content: (hash: string) => Buffer | undefined;
  /** Drops all but these. */
  readonly keepOnly: (hashes: ReadonlySet<string>) => void;
  readonly size: () => number;
}

export function createBodyBook(): BodyBook {
  const hashes = new WeakMap<object, string>();
  const contents = new Map<string, Buffer>();
  return {
    hashOf: (value) => {
      const known = hashes.get(value);
      if (known !== undefined && contents.has(known)) return known;
      const content = ownBytes(canonicalJson(value));
      const hash = createHash('sha256').update(content).digest('hex');
      hashes.set(value, hash);
      contents.set(hash, content);
      return hash;
    },
    content: (hash) => contents.get(hash),
    keepOnly: (wanted) => {
      for (const hash of contents.keys()) if (!wanted.has(hash)) contents.delete(hash);
    },
    size: () => contents.size,
  };
}
