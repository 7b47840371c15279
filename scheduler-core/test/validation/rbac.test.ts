// What is wrong with a role or a binding, in Kubernetes' words.
import { describe, expect, it } from 'vitest';
import type { ClusterRole, PolicyRule, RoleBinding, RoleRef, Subject } from '../../src/schema/rbac.ts';
import {
  rbacNameProblem,
  validateBinding,
  validateClusterRole,
  validateRole,
} from '../../src/validation/rbac.ts';

const rbac = 'rbac.authorization.k8s.io';
const texts = (errors: readonly { field: string; message: string }[]): string[] =>
  errors.map(({ field, message }) => `${field}: ${message}`);
const rule = (more: Partial<PolicyRule>): PolicyRule => ({
  verbs: ['get'],
  apiGroups: [''],
  resources: ['pods'],
  ...more,
});

describe('a name', () => {
  it.each(['system:node', 'Reader', 'a.b', '...'])('%s may be', (name) => {
    expect(rbacNameProblem(name)).toBeUndefined();
  });
  it.each([
    ['.', "may not be '.'"],
    ['..', "may not be '..'"],
    ['a/b', "may not contain '/'"],
    ['a%b', "may not contain '%'"],
  ])('%s may not be', (name, problem) => {
    expect(rbacNameProblem(name)).toBe(problem);
  });
});

describe('a rule', () => {
  const metadata = { name: 'x', namespace: 'a' };
  it.each<[string, PolicyRule, string[]]>([
    ['that is good', rule({}), []],
    [
      'without verbs',
      rule({ verbs: [] }),
      ['rules[0].verbs: Required value: verbs must contain at least one value'],
    ],
    [
      'without groups and resources',
      { verbs: ['get'] },
      [
        'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
        'rules[0].resources: Required value: resource rules must supply at least one resource',
      ],
    ],
    [
      'of a Role about paths',
      { verbs: ['get'], nonResourceURLs: ['/x'] },
      ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'],
    ],
  ])('%s', (_, given, expected) => {
    expect(texts(validateRole({ metadata, rules: [given] }))).toEqual(expected);
  });

  it('of a ClusterRole about both', () => {
    const both = rule({ nonResourceURLs: ['/x'] });
    expect(texts(validateClusterRole({ metadata: { name: 'x' }, rules: [both] }))).toEqual([
      'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
    ]);
  });

  it('of aggregation without a selector', () => {
    const role: ClusterRole & { metadata: { name: string } } = {
      metadata: { name: 'x' },
      aggregationRule: {},
    };
    expect(texts(validateClusterRole(role))).toEqual([
      'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
    ]);
  });
});

describe('a binding', () => {
  const ref = (more: Partial<RoleRef> = {}): RoleRef => ({
    apiGroup: rbac,
    kind: 'Role',
    name: 'r',
    ...more,
  });
  const binding = (roleRef: RoleRef, ...subjects: Subject[]) => ({
    metadata: { name: 'x', namespace: 'a' },
    roleRef,
    subjects,
  });
  const user: Subject = { kind: 'User', apiGroup: rbac, name: 'jane' };
  it.each<[string, ReturnType<typeof binding>, string[]]>([
    ['that is good', binding(ref(), user), []],
    ['of an account of its own namespace', binding(ref(), { kind: 'ServiceAccount', name: 'bot' }), []],
    ['to no role', binding(ref({ name: '' })), ['roleRef.name: Required value']],
    [
      'to another kind',
      binding(ref({ kind: 'Pod' })),
      ['roleRef.kind: Unsupported value: "Pod": supported values: "ClusterRole", "Role"'],
    ],
    [
      'to another group',
      binding(ref({ apiGroup: 'apps' })),
      [`roleRef.apiGroup: Unsupported value: "apps": supported values: "${rbac}"`],
    ],
    [
      'of another kind of subject',
      binding(ref(), { kind: 'Robot', name: 'r2' }),
      ['subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"'],
    ],
    [
      'of an account in a group',
      binding(ref(), { kind: 'ServiceAccount', name: 'bot', apiGroup: rbac, namespace: 'a' }),
      [`subjects[0].apiGroup: Unsupported value: "${rbac}": supported values: ""`],
    ],
    ['of nobody', binding(ref(), { ...user, name: '' }), ['subjects[0].name: Required value']],
  ])('%s', (_, given, expected) => {
    expect(texts(validateBinding(given, undefined, true))).toEqual(expected);
  });

  it('of the cluster is to a ClusterRole, and says where its accounts are', () => {
    const given = { ...binding(ref(), { kind: 'ServiceAccount', name: 'bot' }), metadata: { name: 'x' } };
    expect(texts(validateBinding(given, undefined, false))).toEqual([
      'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
      'subjects[0].namespace: Required value',
    ]);
  });

  it('stays with its role', () => {
    const old: RoleBinding = binding(ref());
    expect(texts(validateBinding(binding(ref({ name: 'other' })), old, true))[0]).toContain(
      'cannot change roleRef',
    );
  });
});
