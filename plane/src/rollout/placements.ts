// Placements, made from what agents decided and the last plan of each DaemonSet.
import { decidePlacement, placementRules } from '@fleetset/scheduler-core/placement';
import type { RolloutPlan } from '@fleetset/scheduler-core/rollout/plan-rollout';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { Fleet } from '../fleet/fleet.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Placement } from '../kinds/placement-kind.ts';
import type { Store } from '../store/store.ts';
import type { GrantBook } from './grants.ts';

type StoredSet = DaemonSet & { readonly metadata: KubeObject['metadata'] };

export interface PlacementSources {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly grants: GrantBook;
  readonly planOf: (daemonSetUid: string) => RolloutPlan | undefined;
  readonly newestOf: (daemonSet: StoredSet) => string | undefined;
}

export function* placements(sources: PlacementSources, namespace: string | undefined): Iterable<KubeObject> {
  for (const { value } of sources.store.list('apps/daemonsets')) {
    const daemonSet = value as unknown as StoredSet;
    if (namespace !== undefined && daemonSet.metadata.namespace !== namespace) continue;
    for (const stored of sources.store.list('core/nodes'))
      yield placementOf(sources, daemonSet, stored.value as unknown as Node) as unknown as KubeObject;
  }
}

function placementOf(sources: PlacementSources, daemonSet: StoredSet, node: Node): Placement {
  const { name = '', namespace = '', uid = '' } = daemonSet.metadata;
  const nodeName = node.metadata?.name ?? '';
  const told = sources.fleet.get(nodeName)?.report?.placements.find((one) => one.daemonSetUid === uid);
  const computed = decidePlacement(placementRules(daemonSet.spec?.template?.spec ?? { containers: [] }), {
    name: nodeName,
    labels: node.metadata?.labels ?? {},
    taints: node.spec?.taints ?? [],
  });
  const granted = sources.grants.of(uid).get(nodeName);
  const newest = sources.newestOf(daemonSet);
  const wait = sources.planOf(uid)?.waits.find((one) => one.node === nodeName);
  return {
    apiVersion: 'fleetset.dev/v1',
    kind: 'Placement',
    metadata: { name: `${name}.${nodeName}`, namespace, uid: `${uid}.${nodeName}` },
    spec: { nodeName, daemonSetName: name },
    status: {
      decision: told?.decision || computed.decision,
      decidedBy: told ? 'Agent' : 'Plane',
      reasons: (told?.reasons ?? computed.reasons).map(({ code, message }) => ({ code, message })),
      ...(granted === undefined ? {} : { grantedRevision: granted }),
      ...(newest === undefined ? {} : { newestRevision: newest }),
      ...(wait ? { waiting: wait.reason } : {}),
      ...(told?.progress ? { progress: told.progress } : {}),
    },
  };
}
