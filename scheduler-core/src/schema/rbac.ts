// Kubernetes' rbac.authorization.k8s.io/v1: who may do what.
import { labelSelector, objectMeta } from './meta.ts';
import { type Infer, list, object, string } from './schema.ts';

const rbac = (kind: string) => `io.k8s.api.rbac.v1.${kind}`;
const typed = { apiVersion: string(), kind: string(), metadata: objectMeta };

export const RBAC_GROUP = 'rbac.authorization.k8s.io';

const policyRule = object(
  rbac('PolicyRule'),
  {
    apiGroups: list(string()),
    nonResourceURLs: list(string()),
    resourceNames: list(string()),
    resources: list(string()),
    verbs: list(string()),
  },
  ['verbs'],
);
export interface PolicyRule extends Infer<typeof policyRule> {}

const subject = object(
  rbac('Subject'),
  { kind: string(), apiGroup: string(), name: string(), namespace: string() },
  ['kind', 'name'],
);
export interface Subject extends Infer<typeof subject> {}

const roleRef = object(rbac('RoleRef'), { apiGroup: string(), kind: string(), name: string() }, [
  'apiGroup',
  'kind',
  'name',
]);
export interface RoleRef extends Infer<typeof roleRef> {}

export const role = object(rbac('Role'), { ...typed, rules: list(policyRule) });
export interface Role extends Infer<typeof role> {}

export const clusterRole = object(rbac('ClusterRole'), {
  ...typed,
  aggregationRule: object(rbac('AggregationRule'), { clusterRoleSelectors: list(labelSelector) }),
  rules: list(policyRule),
});
export interface ClusterRole extends Infer<typeof clusterRole> {}

const bindingFields = { ...typed, roleRef, subjects: list(subject) };
export const roleBinding = object(rbac('RoleBinding'), bindingFields, ['roleRef']);
export interface RoleBinding extends Infer<typeof roleBinding> {}

export const clusterRoleBinding = object(rbac('ClusterRoleBinding'), bindingFields, ['roleRef']);
export interface ClusterRoleBinding extends Infer<typeof clusterRoleBinding> {}
