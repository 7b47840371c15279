// At every start the default roles and bindings are made whole: what is missing is added, what somebody added stays.
// Who wants one left alone sets the annotation rbac.authorization.kubernetes.io/autoupdate to "false".
import { randomUUID } from 'node:crypto';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { compactRules, missingRules } from '@fleetset/scheduler-core/rbac/covers-rules';
import {
  type ClusterRole,
  type ClusterRoleBinding,
  RBAC_GROUP,
  type Subject,
} from '@fleetset/scheduler-core/schema/rbac';
import { apiVersionOf, type KubeObject } from '../kinds/kind.ts';
import type { Store, Write } from '../store/store.ts';
import { DEFAULT_BINDINGS, DEFAULT_ROLES, type DefaultBinding, type DefaultRole } from './default-roles.ts';
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES } from './rbac-index.ts';

const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';
const MARK = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };

export async function reconcileDefaults(store: Store, nowText: string): Promise<void> {
  const writes = [
    ...DEFAULT_ROLES.flatMap((wanted) =>
      written(store, CLUSTER_ROLES, wanted.name, (old) => role(wanted, old, nowText)),
    ),
    ...DEFAULT_BINDINGS.flatMap((wanted) =>
      written(store, CLUSTER_ROLE_BINDINGS, wanted.name, (old) => binding(wanted, old, nowText)),
    ),
  ];
  if (writes.length > 0) await store.commit(writes);
}

function written(
  store: Store,
  collection: string,
  id: string,
  make: (old: KubeObject | undefined) => KubeObject,
): Write[] {
  const old = store.get(collection, id)?.value as unknown as KubeObject | undefined;
  if (old?.metadata.annotations?.[AUTOUPDATE] === 'false') return [];
  const value = make(old);
  return sameJson(value, old ?? {}) ? [] : [{ collection, id, value, durable: true }];
}

type Old<T> = (Pick<KubeObject, 'metadata'> & Partial<T>) | undefined;

function role(wanted: DefaultRole, old: Old<ClusterRole>, nowText: string): KubeObject {
  const held = old?.rules ?? [];
  const { aggregationRule } = wanted;
  const missing = old ? compactRules(missingRules(held, wanted.rules ?? [])) : (wanted.rules ?? []);
  return {
    ...fresh('ClusterRole', wanted.name, old, nowText, wanted.labels),
    ...(aggregationRule ? { aggregationRule } : {}),
    rules: [...held, ...missing],
  };
}

/** A binding to another role cannot be mended: it is made anew. */
function binding(wanted: DefaultBinding, old: Old<ClusterRoleBinding>, nowText: string): KubeObject {
  const kept = old && sameJson(old.roleRef, wanted.roleRef) ? old : undefined;
  const subjects: readonly Subject[] = kept?.subjects ?? [];
  const missing = wanted.subjects.filter((one) => !subjects.some((subject) => sameJson(subject, one)));
  return {
    ...fresh('ClusterRoleBinding', wanted.name, kept, nowText),
    roleRef: wanted.roleRef,
    subjects: [...subjects, ...missing],
  };
}

function fresh(
  kind: string,
  name: string,
  old: Pick<KubeObject, 'metadata'> | undefined,
  nowText: string,
  labels: { readonly [key: string]: string } = {},
): KubeObject {
  const metadata = old?.metadata ?? { name, uid: randomUUID(), creationTimestamp: nowText };
  return {
    apiVersion: apiVersionOf({ group: RBAC_GROUP }),
    kind,
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...MARK, ...labels },
      annotations: { [AUTOUPDATE]: 'true', ...metadata.annotations },
    },
  };
}
