// The ServiceAccount of a template as nodes are told of it: what a pod that is born now gets of it.
import type { PodAccount } from '@fleetset/proto/gen/fleetset/v1/node';
import { accountName, mountsAccount } from '@fleetset/scheduler-core/node/service-account';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { ServiceAccount } from '@fleetset/scheduler-core/schema/service-account';
import type { Store } from '../store/store.ts';

export const ACCOUNTS = 'core/serviceaccounts';

export const accountKey = (namespace: string, name: string): string => `ServiceAccount/${namespace}/${name}`;

export function accountFor(store: Store, namespace: string, { spec }: PodTemplateSpec): PodAccount {
  const name = accountName(spec);
  const stored = store.get(ACCOUNTS, `${namespace}/${name}`)?.value as ServiceAccount | undefined;
  if (!stored || !spec) return { name, missing: true, mount: false };
  const { automountServiceAccountToken: automount } = stored;
  return { name, missing: false, mount: mountsAccount(spec, automount === undefined ? {} : { automount }) };
}
