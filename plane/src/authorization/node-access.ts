// What a node may do at the API as itself: see itself, its own pods, and the config and secrets that they name; write
// events and its own Lease; ask for tokens bound to its own pods. That a pod is its own the node says itself; whether its
// DaemonSet belongs there the plane decides.
import { type ConfigRef, configRefs, pullSecretRefs } from '@fleetset/scheduler-core/node/config-data';
import { accountName } from '@fleetset/scheduler-core/node/service-account';
import {
  type Access,
  fullResource,
  isPathAccess,
  type ResourceAccess,
  type Verdict,
} from '@fleetset/scheduler-core/rbac/attributes';
import { REVISION_LABEL } from '@fleetset/scheduler-core/revision-history';
import type { Pod } from '@fleetset/scheduler-core/schema/pod';
import { nodeOfUser, type User } from '../authentication/user.ts';
import { LEASE_NAMESPACE } from '../fleet/node-leases.ts';
import type { KubeObject } from '../kinds/kind.ts';
import { isPlaced } from '../rollout/belongs.ts';
import { templateStored } from '../rollout/stored-set.ts';
import { bornPullSecrets } from '../rollout/told-accounts.ts';
import { secretRef } from '../rollout/told-configs.ts';
import type { Store } from '../store/store.ts';

const NO_OPINION: Verdict = { allowed: false, reason: '' };
const ALLOWED: Verdict = { allowed: true, reason: '' };
const READ = ['get', 'list', 'watch'];

export function nodeAllows(store: Store, user: User, access: Access): Verdict {
  const node = nodeOfUser(user);
  if (node === undefined || isPathAccess(access)) return NO_OPINION;
  const rule = RULES.get(`${access.group}/${fullResource(access)}`);
  if (!rule) return NO_OPINION;
  return rule(node, access, store) ? ALLOWED : { allowed: false, reason: strangerText(node, access) };
}

const strangerText = (node: string, { name }: ResourceAccess): string =>
  name
    ? `no relationship found between node '${node}' and this object`
    : `node '${node}' may only ask for what is its own`;

type NodeRule = (node: string, access: ResourceAccess, store: Store) => boolean;

const writesEvents: NodeRule = (_node, { verb }) => ['create', 'patch', 'update'].includes(verb);

const RULES = new Map<string, NodeRule>([
  ['/nodes', (node, { verb, name }) => READ.includes(verb) && name === node],
  [
    '/pods',
    (node, { verb, namespace, name, fields }, store) =>
      verb === 'get'
        ? podsOf(store, node).some((pod) => isNamed(pod, namespace, name))
        : READ.includes(verb) && isOfNode(fields, node),
  ],
  ['/configmaps', (...asked) => namesConfig('ConfigMap', ...asked)],
  ['/secrets', (...asked) => namesConfig('Secret', ...asked)],
  [
    '/serviceaccounts/token',
    (node, { verb, namespace, name }, store) =>
      verb === 'create' &&
      podsOf(store, node).some(
        (pod) =>
          pod.metadata.namespace === namespace &&
          accountName(pod.spec) === (name ?? '') &&
          isPlaced(store, pod),
      ),
  ],
  ['/events', writesEvents],
  ['events.k8s.io/events', writesEvents],
  [
    'coordination.k8s.io/leases',
    (node, { verb, namespace, name }) =>
      namespace === LEASE_NAMESPACE &&
      (verb === 'create' || (name === node && ['get', 'update', 'patch', 'delete'].includes(verb))),
  ],
  ['authentication.k8s.io/tokenreviews', (_node, { verb }) => verb === 'create'],
  ['authorization.k8s.io/subjectaccessreviews', (_node, { verb }) => verb === 'create'],
]);

type StoredPod = Pod & Pick<KubeObject, 'metadata'>;

const podsOf = (store: Store, node: string): StoredPod[] =>
  [...store.list('core/pods')]
    .map(({ value }) => value as unknown as StoredPod)
    .filter(({ spec }) => spec?.nodeName === node);

const isNamed = ({ metadata }: StoredPod, namespace: string | undefined, name: string | undefined): boolean =>
  name !== undefined && metadata.name === name && metadata.namespace === namespace;

const isOfNode = (fields: ResourceAccess['fields'], node: string): boolean =>
  fields?.some(({ field, equal, value }) => field === 'spec.nodeName' && equal && value === node) ?? false;

function namesConfig(
  kind: 'ConfigMap' | 'Secret',
  node: string,
  { verb, namespace, name }: ResourceAccess,
  store: Store,
): boolean {
  if (!READ.includes(verb) || !name) return false;
  return podsOf(store, node).some(
    (pod) =>
      pod.metadata.namespace === namespace &&
      pod.spec !== undefined &&
      [...configRefs(pod.spec), ...pullRefs(store, pod)].some(
        (ref) => ref.kind === kind && ref.name === name,
      ) &&
      isPlaced(store, pod),
  );
}

/** What the pod has of its account the node says itself, and is not believed. */
function pullRefs(store: Store, { metadata, spec }: StoredPod): readonly ConfigRef[] {
  const { namespace = '', ownerReferences, labels } = metadata;
  const owner = ownerReferences?.find(({ controller }) => controller)?.name ?? '';
  const template = templateStored(store, namespace, owner, labels?.[REVISION_LABEL] ?? '');
  if (!template?.spec || !spec) return [];
  const own = pullSecretRefs(template.spec);
  if (own.length > 0) return own;
  const born = pullSecretRefs(spec).map(({ name }) => name);
  return bornPullSecrets(store, namespace, template, born).map(secretRef);
}
