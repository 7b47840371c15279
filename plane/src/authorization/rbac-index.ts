// Roles and bindings as the store has them, by whom they are about. Made anew, when asked, after a change of any.
import {
  type ClusterRole,
  type ClusterRoleBinding,
  type PolicyRule,
  RBAC_GROUP,
  type RoleBinding,
  type RoleRef,
  type Subject,
} from '@fleetset/scheduler-core/schema/rbac';
import { accountUserName, type User } from '../authentication/user.ts';
import { collectionOf, idOf, type KubeObject } from '../kinds/kind.ts';
import type { Store } from '../store/store.ts';

const rbac = (plural: string): string => collectionOf({ group: RBAC_GROUP, plural });
export const ROLES = rbac('roles');
export const CLUSTER_ROLES = rbac('clusterroles');
export const ROLE_BINDINGS = rbac('rolebindings');
export const CLUSTER_ROLE_BINDINGS = rbac('clusterrolebindings');

/** A binding that is about somebody. */
export interface Grant {
  readonly binding: string;
  /** Absent for a ClusterRoleBinding. */
  readonly namespace?: string;
  readonly roleRef: RoleRef;
  readonly subject: Subject;
}

export interface RbacIndex {
  /** Cluster-wide ones first, then those of the namespace. */
  readonly grantsOf: (user: User, namespace: string | undefined) => readonly Grant[];
  /** Undefined when there is no such role. */
  readonly rulesOf: (roleRef: RoleRef, namespace: string | undefined) => readonly PolicyRule[] | undefined;
  readonly close: () => void;
}

type Grants = ReadonlyMap<string, readonly Grant[]>;

export function openRbacIndex(store: Store): RbacIndex {
  let grants: Grants | undefined;
  const watches = [ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS].map((collection) =>
    store.watch(collection, store.version(), () => {
      grants = undefined;
    }),
  );
  return {
    grantsOf: (user, namespace) => {
      grants ??= readGrants(store);
      const found = grants;
      const about = [
        subjectKey('User', user.name),
        ...user.groups.map((group) => subjectKey('Group', group)),
      ];
      const of = (scope: string) => about.flatMap((key) => found.get(`${scope}/${key}`) ?? []);
      return namespace ? [...of(''), ...of(namespace)] : of('');
    },
    rulesOf: ({ kind, name }, namespace) => {
      const stored =
        kind === 'ClusterRole' ? store.get(CLUSTER_ROLES, name) : store.get(ROLES, idOf(namespace, name));
      return stored && ((stored.value as ClusterRole).rules ?? []);
    },
    close: () => {
      for (const watch of watches) if (watch !== 'expired') watch.close();
    },
  };
}

const subjectKey = (kind: 'User' | 'Group', name: string): string => `${kind}/${name}`;

/** By "namespace/kind/name", with an empty namespace for those that count everywhere. */
function readGrants(store: Store): Grants {
  const grants = new Map<string, Grant[]>();
  for (const collection of [CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS])
    for (const { value } of store.list(collection)) {
      const {
        metadata,
        roleRef,
        subjects = [],
      } = value as unknown as KubeObject & (RoleBinding | ClusterRoleBinding);
      const { name: binding = '', namespace } = metadata;
      for (const subject of subjects) {
        const about = keyOf(subject, namespace);
        if (about === undefined) continue;
        const key = `${namespace ?? ''}/${about}`;
        const grant = { binding, roleRef, subject, ...(namespace ? { namespace } : {}) };
        const before = grants.get(key);
        if (before) before.push(grant);
        else grants.set(key, [grant]);
      }
    }
  return grants;
}

function keyOf(subject: Subject, bindingNamespace: string | undefined): string | undefined {
  if (subject.kind === 'User' || subject.kind === 'Group') return subjectKey(subject.kind, subject.name);
  const namespace = subject.namespace || bindingNamespace;
  return namespace && subjectKey('User', accountUserName(namespace, subject.name));
}
