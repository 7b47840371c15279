// What a Role, ClusterRole or one of their bindings must get right.
import { sameJson } from '../canonical-json.ts';
import type { ObjectMeta } from '../schema/meta.ts';
import {
  type ClusterRole,
  type PolicyRule,
  RBAC_GROUP,
  type Role,
  type RoleBinding,
  type RoleRef,
  type Subject,
} from '../schema/rbac.ts';
import { checked, type FieldError, invalid, notSupported, required } from './field-error.ts';
import { validateMetadata, validateSelector } from './metadata.ts';
import { dnsSubdomainProblem } from './names.ts';

type Named<T> = T & { readonly metadata: ObjectMeta };

/** Any name that can stand in a path: colons are welcome. */
export function rbacNameProblem(name: string): string | undefined {
  if (name === '.' || name === '..') return `may not be '${name}'`;
  const bad = ['/', '%'].find((letter) => name.includes(letter));
  return bad === undefined ? undefined : `may not contain '${bad}'`;
}

export const validateRole = (role: Named<Role>): FieldError[] => [
  ...validateMetadata(role.metadata, true, rbacNameProblem),
  ...validateRules(role.rules ?? [], true),
];

export function validateClusterRole(role: Named<ClusterRole>): FieldError[] {
  const selectors = role.aggregationRule?.clusterRoleSelectors ?? [];
  const field = 'aggregationRule.clusterRoleSelectors';
  return [
    ...validateMetadata(role.metadata, false, rbacNameProblem),
    ...validateRules(role.rules ?? [], false),
    ...(role.aggregationRule && selectors.length === 0
      ? [required(field, 'at least one clusterRoleSelector required if aggregationRule is non-nil')]
      : []),
    ...selectors.flatMap((selector, index) => validateSelector(`${field}[${index}]`, selector)),
  ];
}

const validateRules = (rules: readonly PolicyRule[], namespaced: boolean): FieldError[] =>
  rules.flatMap((rule, index) => validateRule(`rules[${index}]`, rule, namespaced));

function validateRule(field: string, rule: PolicyRule, namespaced: boolean): FieldError[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const noVerb =
    verbs.length === 0 ? [required(`${field}.verbs`, 'verbs must contain at least one value')] : [];
  if (nonResourceURLs.length > 0) {
    const wrong = (why: string) => invalid(`${field}.nonResourceURLs`, nonResourceURLs, why);
    return [
      ...noVerb,
      ...(namespaced ? [wrong('namespaced rules cannot apply to non-resource URLs')] : []),
      ...(apiGroups.length + resources.length + resourceNames.length > 0
        ? [wrong('rules cannot apply to both regular resources and non-resource URLs')]
        : []),
    ];
  }
  return [
    ...noVerb,
    ...(apiGroups.length === 0
      ? [required(`${field}.apiGroups`, 'resource rules must supply at least one api group')]
      : []),
    ...(resources.length === 0
      ? [required(`${field}.resources`, 'resource rules must supply at least one resource')]
      : []),
  ];
}

export function validateBinding(
  binding: Named<RoleBinding>,
  old: RoleBinding | undefined,
  namespaced: boolean,
): FieldError[] {
  const { roleRef, subjects = [] } = binding;
  return [
    ...validateMetadata(binding.metadata, namespaced, rbacNameProblem),
    ...validateRoleRef(roleRef, namespaced ? ['ClusterRole', 'Role'] : ['ClusterRole']),
    ...subjects.flatMap((subject, index) => validateSubject(`subjects[${index}]`, subject, namespaced)),
    ...(old && !sameJson(old.roleRef, roleRef) ? [invalid('roleRef', roleRef, 'cannot change roleRef')] : []),
  ];
}

function validateRoleRef(ref: RoleRef | undefined, kinds: readonly string[]): FieldError[] {
  if (!ref) return [required('roleRef')];
  return [
    ...(ref.apiGroup === RBAC_GROUP ? [] : [notSupported('roleRef.apiGroup', ref.apiGroup, [RBAC_GROUP])]),
    ...(kinds.includes(ref.kind) ? [] : [notSupported('roleRef.kind', ref.kind, kinds)]),
    ...(ref.name === '' ? [required('roleRef.name')] : checked('roleRef.name', ref.name, rbacNameProblem)),
  ];
}

const SUBJECT_GROUPS: { readonly [kind: string]: string } = {
  ServiceAccount: '',
  User: RBAC_GROUP,
  Group: RBAC_GROUP,
};

/** In a RoleBinding an account without a namespace is one of its own. */
function validateSubject(field: string, subject: Subject, namespaced: boolean): FieldError[] {
  const { kind, name, apiGroup = '', namespace = '' } = subject;
  const noName = name === '' ? [required(`${field}.name`)] : [];
  const group = Object.hasOwn(SUBJECT_GROUPS, kind) ? SUBJECT_GROUPS[kind] : undefined;
  if (group === undefined)
    return [...noName, notSupported(`${field}.kind`, kind, Object.keys(SUBJECT_GROUPS))];
  const wrongGroup = apiGroup === group ? [] : [notSupported(`${field}.apiGroup`, apiGroup, [group])];
  if (kind !== 'ServiceAccount') return [...noName, ...wrongGroup];
  return [
    ...noName,
    ...(name === '' ? [] : checked(`${field}.name`, name, dnsSubdomainProblem)),
    ...wrongGroup,
    ...(namespace === '' && !namespaced ? [required(`${field}.namespace`)] : []),
  ];
}
