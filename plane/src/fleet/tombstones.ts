// Pods that somebody deleted: kept until the node no longer shows them, told to it until then.
import type { PodTombstone } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Store, Write } from '../store/store.ts';

export const TOMBSTONES = 'fleetset/tombstones';

interface Tombstone {
  readonly node: string;
  readonly podUid: string;
  /** Absent: the pod's own. */
  readonly graceSeconds?: number;
}

const idOf = (node: string, podUid: string): string => `${node}/${podUid}`;

export const putTombstone = (tombstone: Tombstone): Write => ({
  collection: TOMBSTONES,
  id: idOf(tombstone.node, tombstone.podUid),
  value: { ...tombstone },
  durable: true,
});

export const dropTombstone = (node: string, podUid: string): Write => ({
  collection: TOMBSTONES,
  id: idOf(node, podUid),
  durable: true,
});

/** Of one node, in a stable order. Asked for each report: not all of them are gone over. */
export function followTombstones(store: Store): (node: string) => PodTombstone[] {
  const byNode = new Map<string, Map<string, PodTombstone>>();
  const put = ({ node, podUid, graceSeconds }: Tombstone) => {
    const known = byNode.get(node) ?? new Map<string, PodTombstone>();
    byNode.set(node, known.set(podUid, { podUid, graceSeconds }));
  };
  const drop = ({ node, podUid }: Tombstone) => {
    const known = byNode.get(node);
    known?.delete(podUid);
    if (known?.size === 0) byNode.delete(node);
  };
  for (const { value } of store.list(TOMBSTONES)) put(value as unknown as Tombstone);
  store.watch(TOMBSTONES, store.version(), ({ value, previous }) => {
    if (value) put(value as unknown as Tombstone);
    else if (previous) drop(previous as unknown as Tombstone);
  });
  return (node) => [...(byNode.get(node)?.values() ?? [])].sort((a, b) => (a.podUid < b.podUid ? -1 : 1));
}

export const isDeleted = (store: Store, node: string, podUid: string): boolean =>
  store.get(TOMBSTONES, idOf(node, podUid)) !== undefined;

/** Deleted with no grace: it is not shown any more, whatever its node still does with it. */
export const isForgotten = (store: Store, node: string, podUid: string): boolean =>
  store.get(TOMBSTONES, idOf(node, podUid))?.value.graceSeconds === 0;
