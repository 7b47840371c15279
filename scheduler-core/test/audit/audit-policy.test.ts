// Which rule of an audit policy counts for a request, and which policies are refused.
import { describe, expect, it } from 'vitest';
import { type Audited, auditScope, validateAuditPolicy } from '../../src/audit/audit-policy.ts';
import type { AuditPolicy, AuditRule } from '../../src/schema/audit-policy.ts';

const policyOf = (...rules: AuditRule[]): AuditPolicy => ({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  rules,
});
const podLog: Audited = {
  user: { name: 'jane', groups: ['dev', 'system:authenticated'] },
  access: { verb: 'get', group: '', resource: 'pods', subresource: 'log', namespace: 'shop', name: 'web-1' },
};
const node: Audited = { ...podLog, access: { verb: 'get', group: '', resource: 'nodes', name: 'a' } };
const path: Audited = { ...podLog, access: { verb: 'get', path: '/openapi/v3/apis/apps/v1' } };
const nobody: Audited = { access: podLog.access };

const res = (resources: string[], more: object = {}) => ({ resources: [{ group: '', resources, ...more }] });

describe('a rule matches', () => {
  it.each<[string, Audited, Partial<AuditRule>, boolean]>([
    ['everything, without conditions', podLog, {}, true],
    ['its users', podLog, { users: ['joe', 'jane'] }, true],
    ['no other user', podLog, { users: ['joe'] }, false],
    ['no user of whom nothing is known', nobody, { users: ['jane'] }, false],
    ['any of its groups', podLog, { userGroups: ['ops', 'dev'] }, true],
    ['no other group', podLog, { userGroups: ['ops'] }, false],
    ['its verbs', podLog, { verbs: ['get', 'list'] }, true],
    ['no other verb', podLog, { verbs: ['list'] }, false],
    ['its namespaces', podLog, { namespaces: ['shop'] }, true],
    ['no other namespace', podLog, { namespaces: ['default'] }, false],
    ['what is in no namespace, by the empty name', node, { namespaces: [''] }, true],
    ['no path, with namespaces', path, { namespaces: [''] }, false],
    ['all of a group, without resources', podLog, { resources: [{ group: '' }] }, true],
    ['nothing of another group', podLog, { resources: [{ group: 'apps' }] }, false],
    ['a subresource by its full name', podLog, res(['pods/log']), true],
    ['no subresource by its resource', podLog, res(['pods']), false],
    ['all subresources of a resource', podLog, res(['pods/*']), true],
    ['a resource by its own star, too', node, res(['nodes/*']), true],
    ['a subresource of all', podLog, res(['*/log']), true],
    ['no other subresource of all', podLog, res(['*/status']), false],
    ['all of a group, by a star', podLog, res(['*']), true],
    ['its names', podLog, res(['pods/log'], { resourceNames: ['web-1'] }), true],
    ['no other name', podLog, res(['pods/log'], { resourceNames: ['web-2'] }), false],
    ['a path by its beginning', path, { nonResourceURLs: ['/openapi*'] }, true],
    ['any path', path, { nonResourceURLs: ['*'] }, true],
    ['no other path', path, { nonResourceURLs: ['/openapi'] }, false],
    ['no resource, with paths', podLog, { nonResourceURLs: ['*'] }, false],
  ])('%s', (_, audited, rule, matches) => {
    const { level } = auditScope(policyOf({ level: 'Request', ...rule }), audited);
    expect(level).toBe(matches ? 'Request' : 'None');
  });
});

describe('a policy', () => {
  it('goes by the first rule that matches', () => {
    const policy = policyOf({ level: 'None', verbs: ['list'] }, { level: 'Metadata' }, { level: 'Request' });
    expect(auditScope(policy, podLog).level).toBe('Metadata');
  });

  it('omits the stages that it or the rule names, and owners as the rule says before it does', () => {
    const policy = {
      ...policyOf({ level: 'Metadata', omitStages: ['Panic'], omitManagedFields: false }),
      omitStages: ['RequestReceived'],
      omitManagedFields: true,
    };
    expect(auditScope(policy, podLog)).toEqual({
      level: 'Metadata',
      omitStages: ['RequestReceived', 'Panic'],
      omitManagedFields: false,
    });
  });

  it.each<[string, AuditPolicy, string[]]>([
    [
      'of another version',
      { ...policyOf({ level: 'None' }), apiVersion: 'audit.k8s.io/v1beta1' },
      ['apiVersion: Unsupported value: "audit.k8s.io/v1beta1": supported values: "audit.k8s.io/v1"'],
    ],
    [
      'of another kind',
      { ...policyOf({ level: 'None' }), kind: 'Rules' },
      ['kind: Unsupported value: "Rules": supported values: "Policy"'],
    ],
    ['without rules', policyOf(), ['rules: Required value: a policy without rules keeps nothing']],
    ['without a level', policyOf({ level: '' }), ['rules[0].level: Required value']],
    [
      'with an unknown level',
      policyOf({ level: 'None' }, { level: 'All' }),
      [
        'rules[1].level: Unsupported value: "All": supported values: "Metadata", "None", "Request", "RequestResponse"',
      ],
    ],
    [
      'with an unknown stage',
      { ...policyOf({ level: 'None', omitStages: ['Begin'] }), omitStages: ['End'] },
      [
        'omitStages[0]: Unsupported value: "End": supported values: "Panic", "RequestReceived", "ResponseComplete", "ResponseStarted"',
        'rules[0].omitStages[0]: Unsupported value: "Begin": supported values: "Panic", "RequestReceived", "ResponseComplete", "ResponseStarted"',
      ],
    ],
    [
      'with paths and namespaces in one rule',
      policyOf({ level: 'None', namespaces: ['a'], nonResourceURLs: ['/b'] }),
      [
        'rules[0].nonResourceURLs: Forbidden: rules cannot apply to both regular resources and non-resource URLs',
      ],
    ],
    [
      'with a path that is none',
      policyOf({ level: 'None', nonResourceURLs: ['api'] }),
      [
        `rules[0].nonResourceURLs[0]: Invalid value: "api": non-resource URL rules must begin with a '/' character`,
      ],
    ],
    [
      'with a star in the middle',
      policyOf({ level: 'None', nonResourceURLs: ['/a*b'] }),
      [
        'rules[0].nonResourceURLs[0]: Invalid value: "/a*b": non-resource URL wildcards must be the final character of the rule',
      ],
    ],
    [
      'with a version in a group',
      policyOf({ level: 'None', resources: [{ group: 'apps/v1' }] }),
      [
        'rules[0].resources[0].group: Invalid value: "apps/v1": must be the name of a group, without a version',
      ],
    ],
    [
      'with names of nothing',
      policyOf({ level: 'None', resources: [{ group: '', resourceNames: ['a'] }] }),
      [
        'rules[0].resources[0].resourceNames: Invalid value: ["a"]: using resourceNames requires at least one resource',
      ],
    ],
  ])('%s is refused, by the field', (_, policy, problems) => {
    expect(validateAuditPolicy(policy).map(({ field, message }) => `${field}: ${message}`)).toEqual(problems);
  });
});
