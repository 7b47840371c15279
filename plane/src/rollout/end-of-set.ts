// What is left to do of a DaemonSet that is being deleted, and of one that is gone.
import type { Fleet } from '../fleet/fleet.ts';
import { adoptedBy, dropOrphaned, orphanedSet, podsOfSet } from '../fleet/orphans.ts';
import type { Store, Write } from '../store/store.ts';
import { dropPin } from './config-rollouts.ts';
import { dropGrant, type GrantBook } from './grants.ts';
import { dropRecord } from './rollout-records.ts';
import type { StoredRevision, StoredSet } from './stored-set.ts';

/** Of a DaemonSet that is gone: its history, its grants, and what it had taken over. All that stays with its pods. */
export function leftoversOf(
  store: Store,
  uid: string,
  revisions: readonly StoredRevision[],
  grants: GrantBook,
): Write[] {
  if (orphanedSet(store, uid)) return [];
  return [
    ...adoptedBy(store, uid).map(dropOrphaned),
    ...revisions.map(
      ({ metadata }): Write => ({
        collection: 'apps/controllerrevisions',
        id: `${metadata.namespace}/${metadata.name}`,
        durable: true,
      }),
    ),
    ...[...grants.of(uid).keys()].map((node) => dropGrant(uid, node)),
    dropRecord(uid),
    dropPin(uid),
  ];
}

/** Foreground deletion ends when every node that had it said that it shows no pod of it any more. */
export function finishDeletion(
  store: Store,
  fleet: Fleet,
  grants: GrantBook,
  { metadata }: StoredSet,
): Write[] {
  const uid = metadata.uid ?? '';
  const adopted = adoptedBy(store, uid);
  for (const state of fleet.all()) if (podsOfSet(state, uid, adopted).length > 0) return [];
  for (const node of grants.of(uid).keys())
    if (store.get('core/nodes', node) && !fleet.get(node)?.report) return [];
  const id = `${metadata.namespace}/${metadata.name}`;
  const finalizers = (metadata.finalizers ?? []).filter((name) => name !== 'foregroundDeletion');
  const stored = store.get('apps/daemonsets', id);
  if (!stored || finalizers.length === metadata.finalizers?.length) return [];
  const value = { ...stored.value, metadata: { ...metadata, finalizers } };
  return [
    {
      collection: 'apps/daemonsets',
      id,
      ...(finalizers.length > 0 ? { value } : {}),
      expect: stored.version,
      durable: true,
    },
  ];
}
