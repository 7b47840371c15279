// Whether a DaemonSet belongs on a node by what the plane itself knows of the node. For pacing an agent's word counts;
// who is trusted with Secrets and tokens is not decided by it: a machine that was taken over says anything.
import { decidePlacement, type PlacementRules } from '@fleetset/scheduler-core/placement';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { Pod } from '@fleetset/scheduler-core/schema/pod';
import { withoutLifecycle } from '../fleet/compose-node.ts';
import { orphanedSets } from '../fleet/orphans.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store } from '../store/store.ts';
import { rulesOf, rulesOfPod } from './placement-rules.ts';
import { templateStored } from './stored-set.ts';

/**
 * Also where a pod may only stay (an untolerated NoSchedule taint): it runs on, and needs what its ConfigMaps and Secrets
 * become. So such a taint keeps pods away and no Secret: the plane has only the node's word for whether a pod is there.
 * What is to be kept from a node selects by a node-restriction label, which no node can give itself.
 */
export const belongsOn = (node: Node, rules: PlacementRules): boolean =>
  decidePlacement(rules, {
    name: node.metadata?.name ?? '',
    labels: node.metadata?.labels ?? {},
    taints: withoutLifecycle(node.spec?.taints ?? []),
  }).decision !== 'Leave';

type ShownPod = Pod & Pick<KubeObject, 'metadata'>;

const nodeOf = (store: Store, { spec }: ShownPod) =>
  store.get('core/nodes', spec?.nodeName ?? '')?.value as unknown as Node | undefined;

/** Of a pod as its node shows it: its DaemonSet is there, and belongs on that node. */
export function isPlaced(store: Store, pod: ShownPod): boolean {
  const { metadata } = pod;
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  const node = nodeOf(store, pod);
  const set = store.get('apps/daemonsets', `${metadata.namespace}/${owner?.name}`)?.value as unknown as
    | DaemonSet
    | undefined;
  return Boolean(node && set && set.metadata?.uid === owner?.uid && belongsOn(node, rulesOf(set)));
}

/** Of a pod that its DaemonSet left behind: what it was made from belongs on its node. */
export function isPlacedOrphan(store: Store, pod: ShownPod): boolean {
  const { namespace = '', labels = {}, ownerReferences = [] } = pod.metadata;
  const node = nodeOf(store, pod);
  if (!node || ownerReferences.length > 0) return false;
  return orphanedSets(store).some((set) => {
    const hash = labels['controller-revision-hash'] ?? '';
    const template =
      set.namespace === namespace ? templateStored(store, namespace, set.name, hash) : undefined;
    return template !== undefined && belongsOn(node, rulesOfPod(template.spec));
  });
}
