// RBAC's matching, rule by rule.
import { describe, expect, it } from 'vitest';
import type { Access, ResourceAccess } from '../../src/rbac/attributes.ts';
import { ruleAllows } from '../../src/rbac/rule-allows.ts';
import type { PolicyRule } from '../../src/schema/rbac.ts';

const pods = (more: Partial<PolicyRule> = {}): PolicyRule => ({
  verbs: ['get', 'list'],
  apiGroups: [''],
  resources: ['pods'],
  ...more,
});
const get = (more: Partial<ResourceAccess> = {}): Access => ({
  verb: 'get',
  group: '',
  resource: 'pods',
  namespace: 'a',
  ...more,
});
const path = (text: string, verb = 'get'): Access => ({ verb, path: text });
const urls = (...nonResourceURLs: string[]): PolicyRule => ({ verbs: ['get'], nonResourceURLs });

describe('a rule allows', () => {
  it.each<[string, PolicyRule, Access]>([
    ['what it names', pods(), get()],
    ['any verb by a star', pods({ verbs: ['*'] }), get({ verb: 'deletecollection' })],
    ['any group by a star', pods({ apiGroups: ['*'] }), get({ group: 'metrics.k8s.io' })],
    ['any resource by a star', pods({ resources: ['*'] }), get({ resource: 'secrets' })],
    ['any subresource by a star', pods({ resources: ['*'] }), get({ subresource: 'log' })],
    ['a subresource that it names', pods({ resources: ['pods/log'] }), get({ subresource: 'log' })],
    ['a subresource of anything', pods({ resources: ['*/status'] }), get({ subresource: 'status' })],
    ['one of its names', pods({ resourceNames: ['x', 'y'] }), get({ name: 'y' })],
    ['a path', urls('/metrics'), path('/metrics')],
    ['a path below', urls('/healthz/*'), path('/healthz/ping')],
    ['any path', urls('*'), path('/anything')],
  ])('%s', (_, rule, access) => {
    expect(ruleAllows(rule, access)).toBe(true);
  });
});

describe('a rule does not allow', () => {
  it.each<[string, PolicyRule, Access]>([
    ['another verb', pods(), get({ verb: 'watch' })],
    ['another group', pods(), get({ group: 'metrics.k8s.io' })],
    ['another resource', pods(), get({ resource: 'podtemplates' })],
    ['a subresource by its resource', pods(), get({ subresource: 'log' })],
    ['a resource by its subresource', pods({ resources: ['pods/log'] }), get()],
    ['another subresource of anything', pods({ resources: ['*/status'] }), get({ subresource: 'exec' })],
    ['a resource by a star for its subresources', pods({ resources: ['*/status'] }), get()],
    ['another name', pods({ resourceNames: ['x'] }), get({ name: 'y' })],
    ['no name where it has names', pods({ resourceNames: ['x'] }), get()],
    ['a path by a rule for resources', pods({ resources: ['*'] }), path('/api')],
    ['a resource by a rule for paths', { ...urls('*'), verbs: ['*'] }, get()],
    ['a path that begins alike', urls('/metrics'), path('/metrics/slis')],
    ['the path above', urls('/healthz/*'), path('/healthz')],
    ['a star in the middle', urls('/a/*/c'), path('/a/b/c')],
    ['another verb on a path', urls('/metrics'), path('/metrics', 'post')],
    ['anything when it is empty', { verbs: [] }, get()],
  ])('%s', (_, rule, access) => {
    expect(ruleAllows(rule, access)).toBe(false);
  });
});
