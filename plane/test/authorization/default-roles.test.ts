// The roles that every fleet has: what they allow, that they are made whole at a start, and those that are sums.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aggregateRoles } from '../../src/authorization/aggregate-roles.ts';
import type { Json } from '../support/api-client.ts';
import { actingAs, RBAC, rule } from '../support/people.ts';
import { storeFile } from '../support/store.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
  for (const name of ['view', 'edit', 'admin'])
    await plane.api.ok('POST', `${RBAC}/namespaces/default/rolebindings`, {
      metadata: { name },
      roleRef: { kind: 'ClusterRole', name },
      subjects: [{ kind: 'User', name }],
    });
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const rbac = 'rbac.authorization.k8s.io';
const may = async (user: string, verb: string, what: string, namespace = 'default'): Promise<boolean> => {
  const [resource, group = ''] = what.split('@');
  const [plural, subresource] = String(resource).split('/');
  const spec = { resourceAttributes: { namespace, verb, group, resource: plural, subresource } };
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  return (await actingAs(plane, user).call('POST', path, { spec })).json.status.allowed;
};

describe('the roles', () => {
  it.each<[string, string, string, [boolean, boolean, boolean]]>([
    ['see', 'get', 'pods', [true, true, true]],
    ['see', 'get', 'pods/log', [true, true, true]],
    ['see', 'watch', 'daemonsets@apps', [true, true, true]],
    ['see', 'list', 'rollouts@fleetset.dev', [true, true, true]],
    ['keep from viewers', 'get', 'secrets', [false, true, true]],
    ['write', 'create', 'configmaps', [false, true, true]],
    ['write', 'patch', 'daemonsets@apps', [false, true, true]],
    ['write', 'patch', 'rolloutpolicies@fleetset.dev', [false, true, true]],
    ['go in', 'create', 'pods/exec', [false, true, true]],
    ['make tokens', 'create', 'serviceaccounts/token', [false, true, true]],
    ['hand out', 'create', `rolebindings@${rbac}`, [false, false, true]],
    ['keep to themselves', 'get', 'nodes', [false, false, false]],
    ['keep to themselves', 'create', 'namespaces', [false, false, false]],
    ['keep to themselves', 'update', 'daemonsets/status@apps', [false, false, false]],
  ])('%s: %s %s', async (_, verb, what, [view, edit, admin]) => {
    expect(await Promise.all(['view', 'edit', 'admin'].map((user) => may(user, verb, what)))).toEqual([
      view,
      edit,
      admin,
    ]);
    expect(await may('admin', verb, what, 'kube-system')).toBe(false);
  });

  it('can be handed on by who holds them, and no greater one', async () => {
    const bind = async (name: string) =>
      (
        await actingAs(plane, 'admin').call('POST', `${RBAC}/namespaces/default/rolebindings`, {
          metadata: { name: `by-admin-${name}` },
          roleRef: { kind: 'ClusterRole', name },
          subjects: [{ kind: 'User', name: 'x' }],
        })
      ).status;
    expect(await Promise.all(['view', 'edit', 'admin', 'cluster-admin', 'system:node'].map(bind))).toEqual([
      201, 201, 201, 403, 403,
    ]);
  });
});

describe('a role that is a sum', () => {
  const label = (to: string) => ({ [`rbac.authorization.k8s.io/aggregate-to-${to}`]: 'true' });
  const part = (name: string, to: string, more: Json) => ({
    metadata: { name, labels: label(to) },
    rules: [rule('get', 'widgets', more)],
  });

  it('follows its parts, and is in what it is a part of', async () => {
    const holds = async (name: string) =>
      JSON.stringify((await plane.api.ok('GET', `${RBAC}/clusterroles/${name}`)).rules).includes('acme.com');
    await plane.api.ok('POST', `${RBAC}/clusterroles`, part('widgets', 'view', { apiGroups: ['acme.com'] }));
    for (const name of ['view', 'edit', 'admin']) await until(`${name} has it`, () => holds(name));
    await plane.api.ok('DELETE', `${RBAC}/clusterroles/widgets`);
    for (const name of ['view', 'edit', 'admin'])
      await until(`${name} lost it`, async () => !(await holds(name)));
  });

  it('that is a part of itself comes to an end', async () => {
    const loop = (name: string, from: string, to: string) => ({
      metadata: { name, labels: label(to) },
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: label(from) }] },
    });
    await plane.api.ok('POST', `${RBAC}/clusterroles`, loop('one', 'b', 'a'));
    await plane.api.ok('POST', `${RBAC}/clusterroles`, loop('two', 'a', 'b'));
    await plane.api.ok('POST', `${RBAC}/clusterroles`, part('leaf', 'a', { resources: ['leaves'] }));
    await until('both have it', async () => {
      const rules = await Promise.all(
        ['one', 'two'].map(async (name) => (await plane.api.ok('GET', `${RBAC}/clusterroles/${name}`)).rules),
      );
      return rules.every((held: Json) => held?.length === 1);
    });
    const version = async () =>
      (await plane.api.ok('GET', `${RBAC}/clusterroles/one`)).metadata.resourceVersion;
    const before = await version();
    await plane.api.ok('POST', `${RBAC}/clusterroles`, { metadata: { name: 'unrelated' }, rules: [] });
    expect(await version()).toBe(before);
  });
});

describe('sums that are parts of one another, all of all', () => {
  // Looking at every way through them took longer than the universe is old.
  it('are summed up', async () => {
    const store = storeFile().open();
    const labels = { sum: 'true' };
    const put = (name: string, more: Json) => ({
      collection: 'rbac.authorization.k8s.io/clusterroles',
      id: name,
      value: { metadata: { name, labels }, ...more },
      durable: true,
    });
    const aggregationRule = { clusterRoleSelectors: [{ matchLabels: labels }] };
    const sums = Array.from({ length: 30 }, (_, index) => put(`sum${index}`, { aggregationRule }));
    await store.commit([...sums, put('leaf', { rules: [rule('get', 'leaves')] })]);
    await aggregateRoles(store);
    for (const { collection, id } of sums)
      expect(store.get(collection, id)?.value.rules).toEqual([rule('get', 'leaves')]);
    await store.close();
  });
});

describe('a start', () => {
  it('adds what is missing, keeps what was added, leaves alone what is to be left alone', async () => {
    const merge = { type: 'application/merge-patch+json' };
    const roles = `${RBAC}/clusterroles`;
    const bindings = `${RBAC}/clusterrolebindings`;
    await plane.api.ok('DELETE', `${roles}/system:basic-user`);
    await plane.api.ok('DELETE', `${bindings}/system:discovery`);
    await plane.api.ok('PATCH', `${roles}/system:discovery`, { rules: [rule('get', 'mine')] }, merge);
    await plane.api.ok(
      'PATCH',
      `${bindings}/system:basic-user`,
      { subjects: [{ kind: 'User', name: 'x' }] },
      merge,
    );
    const off = { metadata: { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } } };
    await plane.api.ok('PATCH', `${roles}/system:monitoring`, { ...off, rules: [] }, merge);
    const other = await plane.api.ok('GET', `${roles}/system:node`);
    await plane.restart();
    expect((await plane.api.ok('GET', `${roles}/system:basic-user`)).rules).toHaveLength(2);
    expect((await plane.api.ok('GET', `${bindings}/system:discovery`)).subjects).toHaveLength(1);
    const { rules } = await plane.api.ok('GET', `${roles}/system:discovery`);
    expect(rules[0]).toEqual(rule('get', 'mine'));
    expect(JSON.stringify(rules)).toContain('/openapi/*');
    const { subjects } = await plane.api.ok('GET', `${bindings}/system:basic-user`);
    expect(subjects.map(({ name }: Json) => name)).toEqual(['x', 'system:authenticated']);
    expect((await plane.api.ok('GET', `${roles}/system:monitoring`)).rules ?? []).toEqual([]);
    expect(await plane.api.ok('GET', `${roles}/system:node`)).toEqual(other);
  });
});
