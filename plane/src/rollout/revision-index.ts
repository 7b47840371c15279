// All revisions, by the DaemonSet that each is of.
import { revisionHash } from '@fleetset/scheduler-core/revision-history';
import type { Store } from '../store/store.ts';
import type { StoredRevision } from './stored-set.ts';

export interface Revisions {
  readonly byOwner: ReadonlyMap<string, readonly StoredRevision[]>;
  readonly byHash: ReadonlyMap<string, ReadonlyMap<string, StoredRevision>>;
}

export const NO_REVISIONS: ReadonlyMap<string, StoredRevision> = new Map();

export function readRevisions(store: Store): Revisions {
  const byOwner = new Map<string, StoredRevision[]>();
  for (const { value } of store.list('apps/controllerrevisions')) {
    const revision = value as unknown as StoredRevision;
    const owner = ownerOf(revision);
    const list = byOwner.get(owner);
    if (list) list.push(revision);
    else byOwner.set(owner, [revision]);
  }
  const byHash = new Map(
    [...byOwner].map(([uid, list]) => [uid, new Map(list.map((one) => [revisionHash(one), one]))]),
  );
  return { byOwner, byHash };
}

export const ownerOf = ({ metadata }: StoredRevision): string =>
  metadata.ownerReferences?.find(({ controller }) => controller)?.uid ?? '';
