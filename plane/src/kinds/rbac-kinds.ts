// rbac.authorization.k8s.io/v1 in the API: Role, ClusterRole, RoleBinding, ClusterRoleBinding.
import {
  clusterRole,
  clusterRoleBinding,
  RBAC_GROUP,
  type RoleBinding,
  role,
  roleBinding,
} from '@fleetset/scheduler-core/schema/rbac';
import { validateBinding, validateClusterRole, validateRole } from '@fleetset/scheduler-core/validation/rbac';
import { AGE, column, NAME } from './columns.ts';
import type { Column, Kind, KubeObject } from './kind.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const;

const CREATED_AT = column(
  'Created At',
  'When it was made.',
  ({ metadata }) => metadata.creationTimestamp ?? '',
  { type: 'date' },
);

export const roleKind: Kind = {
  group: RBAC_GROUP,
  kind: 'Role',
  plural: 'roles',
  singular: 'role',
  namespaced: true,
  schema: role,
  verbs: VERBS,
  putMakes: true,
  columns: [NAME, CREATED_AT],
  rules: { validate: (object) => validateRole(object) },
};

export const clusterRoleKind: Kind = {
  group: RBAC_GROUP,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  singular: 'clusterrole',
  namespaced: false,
  schema: clusterRole,
  verbs: VERBS,
  putMakes: true,
  columns: [NAME, CREATED_AT],
  rules: { validate: (object) => validateClusterRole(object) },
};

type Binding = RoleBinding & Pick<KubeObject, 'metadata'>;
const asBinding = (object: KubeObject) => object as unknown as Binding;

const subjectsColumn = (name: string, kind: string): Column =>
  column(
    name,
    `Subjects of kind ${kind}.`,
    (object) =>
      (asBinding(object).subjects ?? [])
        .filter((subject) => subject.kind === kind)
        .map((subject) =>
          kind === 'ServiceAccount' ? `${subject.namespace ?? ''}/${subject.name}` : subject.name,
        )
        .join(', '),
    { priority: 1 },
  );

const BINDING_COLUMNS: readonly Column[] = [
  NAME,
  column('Role', 'The role that it gives.', (object) => {
    const { roleRef } = asBinding(object);
    return `${roleRef?.kind}/${roleRef?.name}`;
  }),
  AGE,
  subjectsColumn('Users', 'User'),
  subjectsColumn('Groups', 'Group'),
  subjectsColumn('ServiceAccounts', 'ServiceAccount'),
];

/** Users and groups are of RBAC's own group, service accounts of the core. */
function setBindingDefaults(object: KubeObject): KubeObject {
  const { roleRef, subjects } = asBinding(object);
  return {
    ...object,
    ...(roleRef ? { roleRef: { ...roleRef, apiGroup: roleRef.apiGroup || RBAC_GROUP } } : {}),
    ...(subjects
      ? {
          subjects: subjects.map((subject) =>
            subject.kind === 'User' || subject.kind === 'Group'
              ? { ...subject, apiGroup: subject.apiGroup || RBAC_GROUP }
              : subject,
          ),
        }
      : {}),
  };
}

const bindingKind = (name: Pick<Kind, 'kind' | 'plural' | 'singular' | 'namespaced' | 'schema'>): Kind => ({
  ...name,
  group: RBAC_GROUP,
  verbs: VERBS,
  putMakes: true,
  columns: BINDING_COLUMNS,
  rules: {
    setDefaults: setBindingDefaults,
    validate: (object, old) => validateBinding(asBinding(object), old && asBinding(old), name.namespaced),
  },
});

export const roleBindingKind = bindingKind({
  kind: 'RoleBinding',
  plural: 'rolebindings',
  singular: 'rolebinding',
  namespaced: true,
  schema: roleBinding,
});

export const clusterRoleBindingKind = bindingKind({
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  singular: 'clusterrolebinding',
  namespaced: false,
  schema: clusterRoleBinding,
});
