// The Lease of each node, as a kubelet keeps it: renewed while its agent is heard. Only its making is durable. A renewal
// is observed state in memory, so that ten thousand nodes cost no disk; whoever is heard often renews it no oftener.
import { randomUUID } from 'node:crypto';
import type { Lease } from '@fleetset/scheduler-core/schema/cluster';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Write } from '../store/store.ts';
import type { Fleet } from './fleet.ts';

export const LEASES = 'coordination.k8s.io/leases';
export const LEASE_NAMESPACE = 'kube-node-lease';
/** As a kubelet says. */
const DURATION_SECONDS = 40;
/** Less than agents wait between two heartbeats: each of those renews it. */
const RENEW_AFTER_MS = 8000;

export const leaseIdOf = (nodeName: string): string => `${LEASE_NAMESPACE}/${nodeName}`;

type StoredLease = Lease & { readonly metadata: KubeObject['metadata'] };

/** It comes and goes with its Node: nobody else has to look after it. */
export const isNodeLease = (object: KubeObject): boolean => {
  const { metadata, kind, spec } = object as StoredLease;
  return (
    kind === 'Lease' &&
    metadata.namespace === LEASE_NAMESPACE &&
    metadata.name === spec?.holderIdentity &&
    metadata.ownerReferences?.length === 1 &&
    metadata.ownerReferences[0]?.kind === 'Node'
  );
};

export interface NodeLeasesParts {
  readonly store: Store;
  readonly fleet: Pick<Fleet, 'state'>;
  readonly monotonicNow: () => number;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  readonly onFailure: (error: unknown, nodeName: string) => void;
}

export interface NodeLeases {
  readonly heard: (nodeName: string) => void;
}

export function createNodeLeases({
  store,
  fleet,
  monotonicNow,
  wallNow,
  onFailure,
}: NodeLeasesParts): NodeLeases {
  return {
    heard: (nodeName) => {
      const state = fleet.state(nodeName);
      const now = monotonicNow();
      if (state.leaseRenewedAt !== undefined && now - state.leaseRenewedAt < RENEW_AFTER_MS) return;
      const node = store.get('core/nodes', nodeName)?.value as KubeObject | undefined;
      if (!node) return;
      state.leaseRenewedAt = now;
      // Who wrote it meanwhile is not overwritten: the next word of the agent renews it.
      store.commit([renewal(store, node, nodeName, wallNow())]).then(
        ({ committed }) => {
          if (!committed) delete state.leaseRenewedAt;
        },
        (error: unknown) => {
          delete state.leaseRenewedAt;
          onFailure(error, nodeName);
        },
      );
    },
  };
}

/** The first is durable, so that it is the same Lease after a restart. */
function renewal(store: Store, node: KubeObject, nodeName: string, now: number): Write {
  const id = leaseIdOf(nodeName);
  const stored = store.get(LEASES, id);
  const lease = (stored?.value as unknown as StoredLease | undefined) ?? newLease(nodeName, now);
  const { uid = '' } = node.metadata;
  const owner = { apiVersion: 'v1', kind: 'Node', name: nodeName, uid };
  const isOwned = lease.metadata.ownerReferences?.some((one) => one.uid === uid);
  const value = {
    ...lease,
    metadata: isOwned ? lease.metadata : { ...lease.metadata, ownerReferences: [owner] },
    spec: {
      ...lease.spec,
      holderIdentity: nodeName,
      leaseDurationSeconds: DURATION_SECONDS,
      renewTime: microTime(now),
    },
  };
  return {
    collection: LEASES,
    id,
    value: value as unknown as KubeObject,
    expect: stored?.version ?? 'absent',
    durable: !isOwned,
  };
}

const newLease = (name: string, now: number): StoredLease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: {
    name,
    namespace: LEASE_NAMESPACE,
    uid: randomUUID(),
    creationTimestamp: `${new Date(now).toISOString().slice(0, 19)}Z`,
  },
});

/** As Kubernetes writes a MicroTime. */
const microTime = (now: number): string => `${new Date(now).toISOString().slice(0, 23)}000Z`;
