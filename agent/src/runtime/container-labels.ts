// A container's identity as labels and back. Kubernetes' own label names are set too: log shippers and metric
// exporters look for those.
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import type { ContainerIdentity } from './container-runtime.ts';

/** Which agent a container belongs to: cluster and node, so that two agents can share one engine. */
export const OWNER_LABEL = 'dev.fleetset.owner';

const OURS = 'dev.fleetset.';
const KUBERNETES = 'io.kubernetes.';

export function labelsOf({ pod, name, attempt, holderAttempt }: ContainerIdentity, owner: string) {
  return {
    [OWNER_LABEL]: owner,
    [`${OURS}daemonset`]: pod.daemonSetName,
    [`${OURS}daemonset-uid`]: pod.daemonSetUid,
    [`${OURS}revision`]: pod.revision,
    [`${OURS}template`]: pod.templateHash,
    [`${OURS}pod-created-at`]: pod.createdAt,
    [`${OURS}attempt`]: String(attempt),
    ...(holderAttempt === undefined ? {} : { [`${OURS}holder-attempt`]: String(holderAttempt) }),
    ...(pod.accountVolume === undefined ? {} : { [`${OURS}account-volume`]: pod.accountVolume }),
    ...(pod.pullSecrets ? { [`${OURS}pull-secrets`]: pod.pullSecrets.join(',') } : {}),
    [`${KUBERNETES}pod.name`]: pod.name,
    [`${KUBERNETES}pod.namespace`]: pod.namespace,
    [`${KUBERNETES}pod.uid`]: pod.uid,
    [`${KUBERNETES}container.name`]: name === HOLDER ? 'POD' : name,
    [`${KUBERNETES}docker.type`]: name === HOLDER ? 'podsandbox' : 'container',
  };
}

/** Undefined for a container that does not carry a whole identity. */
export function identityOf(labels: { readonly [name: string]: string }): ContainerIdentity | undefined {
  const ours = (name: string) => labels[OURS + name];
  const kubernetes = (name: string) => labels[KUBERNETES + name];
  const uid = kubernetes('pod.uid');
  const podName = kubernetes('pod.name');
  const namespace = kubernetes('pod.namespace');
  const daemonSetUid = ours('daemonset-uid');
  const attempt = Number(ours('attempt'));
  if (!uid || !podName || !namespace || !daemonSetUid || !Number.isInteger(attempt)) return undefined;
  const holderAttempt = ours('holder-attempt');
  const accountVolume = ours('account-volume');
  const pullSecrets = ours('pull-secrets')?.split(',');
  return {
    pod: {
      uid,
      name: podName,
      namespace,
      daemonSetUid,
      daemonSetName: ours('daemonset') ?? '',
      revision: ours('revision') ?? '',
      templateHash: ours('template') ?? '',
      createdAt: ours('pod-created-at') ?? '',
      ...(accountVolume === undefined ? {} : { accountVolume }),
      ...(pullSecrets ? { pullSecrets } : {}),
    },
    name: kubernetes('docker.type') === 'podsandbox' ? HOLDER : (kubernetes('container.name') ?? ''),
    attempt,
    ...(holderAttempt === undefined ? {} : { holderAttempt: Number(holderAttempt) }),
  };
}
