// The store as the API sees it: the collection of events.k8s.io is that of core/v1 in another form.

import { eventKind, eventV1Kind, fromEventV1, toEventV1 } from '../kinds/event-kinds.ts';
import { collectionOf, type KubeObject } from '../kinds/kind.ts';
import type { Change, Store, Stored, StoredValue, Write } from './store.ts';

const VIEW = collectionOf(eventV1Kind);
const EVENTS = collectionOf(eventKind);

const shown = (value: StoredValue): StoredValue => toEventV1(value as unknown as KubeObject);
const kept = (value: StoredValue): StoredValue => fromEventV1(value as unknown as KubeObject);

export function withEventView(store: Store): Store {
  return {
    ...store,
    get: (collection, id) => {
      const stored = store.get(collection === VIEW ? EVENTS : collection, id);
      return collection === VIEW && stored ? shownStored(stored) : stored;
    },
    list: (collection) => (collection === VIEW ? shownAll(store.list(EVENTS)) : store.list(collection)),
    commit: (writes) => store.commit(writes.map(keptWrite)),
    watch: (collection, from, onChange) =>
      collection === VIEW
        ? store.watch(EVENTS, from, (change) => onChange(shownChange(change)))
        : store.watch(collection, from, onChange),
  };
}

const shownStored = (stored: Stored): Stored => ({ ...stored, value: shown(stored.value) });

function* shownAll(stored: Iterable<Stored>): Iterable<Stored> {
  for (const one of stored) yield shownStored(one);
}

const shownChange = ({ value, previous, ...change }: Change): Change => ({
  ...change,
  ...(value ? { value: shown(value) } : {}),
  ...(previous ? { previous: shown(previous) } : {}),
});

const keptWrite = (write: Write): Write =>
  write.collection === VIEW
    ? { ...write, collection: EVENTS, ...(write.value ? { value: kept(write.value) } : {}) }
    : write;
