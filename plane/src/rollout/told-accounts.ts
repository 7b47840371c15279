// The ServiceAccount of a template as nodes are told of it: what a pod that is born now gets of it.
import type { PodAccount } from '@fleetset/proto/gen/fleetset/v1/node';
import { accountName, mountsAccount, namesPullSecrets } from '@fleetset/scheduler-core/node/service-account';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { ServiceAccount } from '@fleetset/scheduler-core/schema/service-account';
import type { Store } from '../store/store.ts';

export const ACCOUNTS = 'core/serviceaccounts';

export const accountKey = (namespace: string, name: string): string => `ServiceAccount/${namespace}/${name}`;

export function accountFor(store: Store, namespace: string, { spec }: PodTemplateSpec): PodAccount {
  const name = accountName(spec);
  const stored = readAccount(store, namespace, name);
  if (!stored || !spec) return { name, missing: true, mount: false, pullSecrets: [] };
  const { automountServiceAccountToken: automount } = stored;
  return {
    name,
    missing: false,
    mount: mountsAccount(spec, automount === undefined ? {} : { automount }),
    pullSecrets: namesPullSecrets(spec) ? [] : pullSecretsOf(stored),
  };
}

/** Of those that a pod says it was born with, the ones that its account has now: a node that says anything is not given
 *  any Secret for it. */
export function bornPullSecrets(
  store: Store,
  namespace: string,
  template: PodTemplateSpec,
  born: readonly string[],
): readonly string[] {
  if (born.length === 0) return born;
  const now = new Set(accountFor(store, namespace, template).pullSecrets);
  return born.filter((name) => now.has(name));
}

const readAccount = (store: Store, namespace: string, name: string) =>
  store.get(ACCOUNTS, `${namespace}/${name}`)?.value as ServiceAccount | undefined;

const pullSecretsOf = ({ imagePullSecrets = [] }: ServiceAccount): string[] => [
  ...new Set(imagePullSecrets.map(({ name }) => name ?? '').filter((name) => name !== '')),
];
