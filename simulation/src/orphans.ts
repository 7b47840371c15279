// Whose pods are whose now, by the plane's disk: pods of a DaemonSet that was deleted without them are nobody's, until
// another one takes them over. Their containers go on naming who made them.
import type { Store } from '@fleetset/plane/store/store';

const ORPHANS = 'fleetset/orphans';

export interface Orphans {
  readonly follow: (store: Store) => void;
  /** The uid of the DaemonSet that took over what this one made; its own otherwise. */
  readonly ownerOf: (setUid: string) => string;
  /** All that owned its pods one after the other, from itself on. */
  readonly ownersOf: (setUid: string) => readonly string[];
  /** It is gone without its pods, and no other has taken them over. */
  readonly isNobodys: (setUid: string) => boolean;
}

export function createOrphans(): Orphans {
  const adopters = new Map<string, string>();
  let nobodys = new Set<string>();
  const note = (uid: string, value: unknown) => {
    const adopter = (value as { adopter?: { uid: string } } | undefined)?.adopter;
    nobodys.delete(uid);
    // Dropped: no pod is left of it.
    if (value === undefined) return;
    if (adopter) adopters.set(uid, adopter.uid);
    // What its last adopter left behind is that one's now.
    else nobodys.add(uid);
  };
  /** The one that took it over may have been taken over itself. */
  const ownersOf = (uid: string): readonly string[] => {
    const adopter = adopters.get(uid);
    return adopter === undefined ? [uid] : [uid, ...ownersOf(adopter)];
  };
  const ownerOf = (uid: string): string => ownersOf(uid).at(-1) ?? uid;
  return {
    follow: (store) => {
      nobodys = new Set();
      for (const { id, value } of store.list(ORPHANS)) note(id, value);
      store.watch(ORPHANS, store.version(), ({ id, value }) => note(id, value));
    },
    ownerOf,
    ownersOf,
    isNobodys: (uid) => nobodys.has(ownerOf(uid)),
  };
}
