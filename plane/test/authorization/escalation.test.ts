// Nobody hands out more than he holds.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { actingAs, give, type Person, RBAC, rule, user } from '../support/people.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
let writer: Person;
const ROLES = `${RBAC}/namespaces/default/roles`;
const BINDINGS = `${RBAC}/namespaces/default/rolebindings`;
const rbac = (verbs: string, resources: string, more: Json = {}): Json =>
  rule(verbs, resources, { apiGroups: ['rbac.authorization.k8s.io'], ...more });

beforeAll(async () => {
  plane = await startTestPlane();
  await give(plane, {
    rules: [rbac('create,update,patch', 'roles,rolebindings,clusterroles,clusterrolebindings')],
    subjects: [user('writer')],
  });
  await give(plane, {
    namespace: 'default',
    rules: [rule('get,list', 'pods,configmaps')],
    subjects: [user('writer')],
  });
  writer = actingAs(plane, 'writer');
});
afterAll(() => plane.stop());

const role = (name: string, ...rules: Json[]): Json => ({ metadata: { name }, rules });
const binding = (name: string, kind: string, to: string, ...subjects: Json[]): Json => ({
  metadata: { name },
  roleRef: { kind, name: to },
  subjects,
});

describe('a role', () => {
  it('of what its writer holds there is made', async () => {
    expect((await writer.call('POST', ROLES, role('held', rule('get', 'pods')))).status).toBe(201);
  });

  it('of more is refused, and said what is missing', async () => {
    const { status, json } = await writer.call(
      'POST',
      ROLES,
      role('more', rule('get,delete,create', 'pods'), rule('get', 'secrets')),
    );
    expect(status).toBe(403);
    expect(json.message).toBe(
      [
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "writer" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:',
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "create"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
      ].join('\n'),
    );
    expect((await plane.api.call('GET', `${ROLES}/more`)).status).toBe(404);
  });

  it('of very much more is refused with no more words than somebody reads', async () => {
    const words = (letter: string, count: number) =>
      Array.from({ length: count }, (_, index) => `${letter}${index}`).join(',');
    for (const much of [rule(words('v', 20), words('r', 400)), rule(words('v', 1000), words('r', 1000))]) {
      const { status, json } = await writer.call('POST', ROLES, role('much', much));
      expect([status, json.message.length < 20_000]).toEqual([403, true]);
    }
  });

  it('of what its writer holds in one namespace is none for the cluster, nor for another', async () => {
    const rules = role('spread', rule('get', 'pods'));
    expect((await writer.call('POST', `${RBAC}/clusterroles`, rules)).status).toBe(403);
    expect((await writer.call('POST', `${RBAC}/namespaces/kube-system/roles`, rules)).status).toBe(403);
  });

  it('may not grow beyond it, by no verb, nor by a dry run; its labels are free', async () => {
    await plane.api.ok('POST', ROLES, role('great', rule('*', '*')));
    const merge = { type: 'application/merge-patch+json' };
    const grown = { rules: [rule('*', '*'), rule('get', 'pods')] };
    expect((await writer.call('PATCH', `${ROLES}/great`, grown, merge)).status).toBe(403);
    expect((await writer.call('PUT', `${ROLES}/great`, role('great', ...grown.rules))).status).toBe(403);
    expect((await writer.call('POST', `${ROLES}?dryRun=All`, role('d', rule('*', '*')))).status).toBe(403);
    const labelled = await writer.call(
      'PATCH',
      `${ROLES}/great`,
      { metadata: { labels: { a: 'b' } } },
      merge,
    );
    expect(labelled.status).toBe(200);
    const less = await writer.call('PATCH', `${ROLES}/great`, { rules: [rule('get', 'pods')] }, merge);
    expect(less.status).toBe(200);
  });

  it('of anything is made by who may escalate', async () => {
    await give(plane, {
      namespace: 'default',
      rules: [rbac('escalate', 'roles')],
      subjects: [user('writer')],
    });
    expect((await writer.call('POST', ROLES, role('any', rule('*', '*')))).status).toBe(201);
  });

  it('that aggregates is made by who may do everything', async () => {
    const aggregate = { metadata: { name: 'sum' }, aggregationRule: { clusterRoleSelectors: [{}] } };
    const { status, json } = await writer.call('POST', `${RBAC}/clusterroles`, aggregate);
    expect([status, json.message]).toEqual([
      403,
      'clusterroles.rbac.authorization.k8s.io "sum" is forbidden: must have cluster-admin privileges to use an aggregationRule',
    ]);
  });
});

describe('a binding', () => {
  it('to a role of what its writer holds is made, to a greater one refused', async () => {
    await plane.api.ok('POST', ROLES, role('small', rule('list', 'configmaps')));
    expect((await writer.call('POST', BINDINGS, binding('small', 'Role', 'small', user('x')))).status).toBe(
      201,
    );
    const { status, json } = await writer.call(
      'POST',
      BINDINGS,
      binding('root', 'ClusterRole', 'cluster-admin', user('writer')),
    );
    expect(status).toBe(403);
    expect(json.message).toContain('{APIGroups:["*"], Resources:["*"], Verbs:["*"]}');
    expect(json.message).toContain('{NonResourceURLs:["*"], Verbs:["*"]}');
    const cluster = binding('root', 'ClusterRole', 'cluster-admin', user('writer'));
    expect((await writer.call('POST', `${RBAC}/clusterrolebindings`, cluster)).status).toBe(403);
  });

  it('gets no more subjects by who could not make it', async () => {
    await plane.api.ok('POST', BINDINGS, binding('admins', 'ClusterRole', 'cluster-admin', user('boss')));
    const merge = { type: 'application/merge-patch+json' };
    const more = { subjects: [user('boss'), user('writer')] };
    expect((await writer.call('PATCH', `${BINDINGS}/admins`, more, merge)).status).toBe(403);
  });

  it('to a role that is not there is refused as such', async () => {
    const { status, json } = await writer.call('POST', BINDINGS, binding('void', 'Role', 'void'));
    expect([status, json.message]).toEqual([404, 'roles.rbac.authorization.k8s.io "void" not found']);
  });

  it('to anything is made by who may bind it', async () => {
    await give(plane, {
      namespace: 'default',
      rules: [rbac('bind', 'clusterroles', { resourceNames: ['view'] })],
      subjects: [user('writer')],
    });
    expect((await writer.call('POST', BINDINGS, binding('v', 'ClusterRole', 'view', user('x')))).status).toBe(
      201,
    );
    expect((await writer.call('POST', BINDINGS, binding('e', 'ClusterRole', 'edit', user('x')))).status).toBe(
      403,
    );
  });

  it('keeps its role', async () => {
    const { status, json } = await plane.api.call(
      'PUT',
      `${BINDINGS}/small`,
      binding('small', 'Role', 'held'),
    );
    expect([status, json.details.causes[0].field]).toEqual([422, 'roleRef']);
  });
});
