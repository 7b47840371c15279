// Which stored objects belong to another one (metadata.ownerReferences). Pods and ControllerRevisions are looked after
// by their DaemonSet's rollout, the Leases of nodes with their nodes, and nodes and events belong to nobody.
import { isNodeLease } from '../fleet/node-leases.ts';
import type { Store } from '../store/store.ts';
import { apiVersionOf, collectionOf, idOf, type Kind, type KubeObject } from './kind.ts';
import { SERVED_KINDS } from './served-kinds.ts';

const ELSEWHERE = new Set(['Pod', 'ControllerRevision', 'Node', 'Event']);
export const DEPENDENT_KINDS = SERVED_KINDS.filter(({ kind }) => !ELSEWHERE.has(kind));

export interface Dependent {
  readonly kind: Kind;
  readonly object: KubeObject;
}

export function* ownedObjects(store: Store): Iterable<Dependent> {
  for (const kind of DEPENDENT_KINDS)
    for (const { value } of store.list(collectionOf(kind))) {
      const object = value as unknown as KubeObject;
      if (object.metadata.ownerReferences?.length && !isNodeLease(object)) yield { kind, object };
    }
}

export const dependentsOf = (store: Store, uid: string | undefined): Dependent[] =>
  [...ownedObjects(store)].filter(({ object }) =>
    object.metadata.ownerReferences?.some((owner) => owner.uid === uid),
  );

/** Those that the deletion of their owner waits for. */
export const blocking = (dependents: readonly Dependent[], uid: string | undefined): Dependent[] =>
  dependents.filter(({ object }) =>
    object.metadata.ownerReferences?.some((owner) => owner.uid === uid && owner.blockOwnerDeletion),
  );

export type OwnerStanding = 'there' | 'going' | 'gone';

/** 'going': it waits for those that depend on it. An owner of a kind that is not served here counts as there. */
export function ownerStanding(
  store: Store,
  namespace: string | undefined,
  owner: NonNullable<KubeObject['metadata']['ownerReferences']>[number],
): OwnerStanding {
  const kind = SERVED_KINDS.find((one) => one.kind === owner.kind && apiVersionOf(one) === owner.apiVersion);
  // As Kubernetes: what is of no namespace cannot belong to what is in one, and is not removed for a slip of the pen.
  if (!kind || (kind.namespaced && namespace === undefined)) return 'there';
  const id = idOf(kind.namespaced ? namespace : undefined, owner.name);
  const found = store.get(collectionOf(kind), id)?.value as KubeObject | undefined;
  if (found?.metadata.uid !== owner.uid) return 'gone';
  return waitsForDependents(found) ? 'going' : 'there';
}

export const FOREGROUND = 'foregroundDeletion';
export const waitsForDependents = ({ metadata }: KubeObject): boolean =>
  metadata.deletionTimestamp !== undefined && Boolean(metadata.finalizers?.includes(FOREGROUND));
