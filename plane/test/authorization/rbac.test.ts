// RBAC enforced, over real HTTPS: what roles and bindings allow, and the words of every refusal.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { configMap, newNamespace } from '../support/manifests.ts';
import { account, actingAs, give, nobody, type Person, RBAC, rule, user } from '../support/people.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
let jane: Person;
beforeAll(async () => {
  plane = await startTestPlane();
  jane = actingAs(plane, 'jane');
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const MAPS = '/api/v1/namespaces/default/configmaps';
const core = (verb: string, resource: string, where = 'in the namespace "default"') =>
  `User "jane" cannot ${verb} resource "${resource}" in API group "" ${where}`;

describe('who was given nothing', () => {
  it.each<[string, string, string, Json]>([
    ['GET', MAPS, `configmaps is forbidden: ${core('list', 'configmaps')}`, { kind: 'configmaps' }],
    [
      'GET',
      `${MAPS}?watch=1`,
      `configmaps is forbidden: ${core('watch', 'configmaps')}`,
      { kind: 'configmaps' },
    ],
    [
      'GET',
      `${MAPS}/x`,
      `configmaps "x" is forbidden: ${core('get', 'configmaps')}`,
      { name: 'x', kind: 'configmaps' },
    ],
    ['POST', MAPS, `configmaps is forbidden: ${core('create', 'configmaps')}`, { kind: 'configmaps' }],
    ['PUT', `${MAPS}/x`, `configmaps "x" is forbidden: ${core('update', 'configmaps')}`, {}],
    ['PATCH', `${MAPS}/x`, `configmaps "x" is forbidden: ${core('patch', 'configmaps')}`, {}],
    ['DELETE', `${MAPS}/x`, `configmaps "x" is forbidden: ${core('delete', 'configmaps')}`, {}],
    ['DELETE', MAPS, `configmaps is forbidden: ${core('deletecollection', 'configmaps')}`, {}],
    ['GET', '/api/v1/nodes', `nodes is forbidden: ${core('list', 'nodes', 'at the cluster scope')}`, {}],
    [
      'GET',
      '/api/v1/namespaces/default',
      `namespaces "default" is forbidden: ${core('get', 'namespaces')}`,
      { name: 'default', kind: 'namespaces' },
    ],
    [
      'GET',
      '/api/v1/namespaces/default/pods/p/log',
      `pods "p" is forbidden: ${core('get', 'pods/log')}`,
      { name: 'p', kind: 'pods' },
    ],
    [
      'POST',
      '/api/v1/namespaces/default/pods/p/eviction',
      `pods "p" is forbidden: ${core('create', 'pods/eviction')}`,
      {},
    ],
    [
      'GET',
      '/apis/apps/v1/namespaces/default/daemonsets/x',
      'daemonsets.apps "x" is forbidden: User "jane" cannot get resource "daemonsets" in API group "apps" in the namespace "default"',
      { name: 'x', group: 'apps', kind: 'daemonsets' },
    ],
    [
      'GET',
      '/apis/nowhere/v7/things',
      'things.nowhere is forbidden: User "jane" cannot list resource "things" in API group "nowhere" at the cluster scope',
      {},
    ],
    ['GET', '/metrics', 'forbidden: User "jane" cannot get path "/metrics"', {}],
    ['POST', '/a<b>', 'forbidden: User "jane" cannot post path "/a%3Cb%3E"', {}],
  ])('%s %s: %s', async (method, path, message, details) => {
    const { status, json } = await jane.call(method, path, method === 'GET' ? undefined : {});
    expect([status, json.reason, json.message]).toEqual([403, 'Forbidden', message]);
    expect(json.details).toMatchObject(details);
  });

  it('may look around: discovery, version, health, and himself', async () => {
    for (const path of [
      '/api',
      '/apis',
      '/api/v1',
      '/apis/apps/v1',
      '/openapi/v2',
      '/openapi/v3',
      '/version',
      '/healthz',
    ])
      expect([path, (await jane.call('GET', path)).status]).toEqual([path, 200]);
    const { status } = await jane.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {});
    expect(status).toBe(201);
  });

  it('and is nobody may ask for health and version alone', async () => {
    const anybody = nobody(plane);
    for (const path of ['/healthz', '/livez', '/readyz', '/version', '/version/'])
      expect([path, (await anybody.call('GET', path)).status]).toEqual([path, 200]);
    for (const path of [
      '/api',
      '/apis',
      '/openapi/v2',
      '/livez/ping',
      '/.well-known/openid-configuration',
      '/',
    ]) {
      const { status, json } = await anybody.call('GET', path);
      expect([status, json.message]).toEqual([
        403,
        `forbidden: User "system:anonymous" cannot get path "${path}"`,
      ]);
    }
    anybody.close();
  });
});

describe('a RoleBinding', () => {
  it('gives what it says, in its namespace alone, to users, groups and accounts', async () => {
    const namespace = await newNamespace(plane.api);
    await give(plane, {
      namespace,
      rules: [rule('get,list', 'configmaps')],
      subjects: [user('ann'), { kind: 'Group', name: 'readers' }, account('default', 'bot')],
    });
    const maps = `/api/v1/namespaces/${namespace}/configmaps`;
    for (const person of [
      actingAs(plane, 'ann'),
      actingAs(plane, 'someone', 'readers'),
      actingAs(plane, 'system:serviceaccount:default:bot'),
    ]) {
      expect((await person.call('GET', maps)).status).toBe(200);
      expect((await person.call('GET', `${maps}?watch=1`)).status).toBe(403);
      expect((await person.call('GET', MAPS)).status).toBe(403);
      expect((await person.call('GET', '/api/v1/configmaps')).status).toBe(403);
    }
    expect((await actingAs(plane, 'system:serviceaccount:other:bot').call('GET', maps)).status).toBe(403);
  });

  it('counts from the moment it is there to the moment it is gone', async () => {
    const name = await give(plane, {
      namespace: 'default',
      rules: [rule('list', 'configmaps')],
      subjects: [user('tom')],
    });
    const tom = actingAs(plane, 'tom');
    expect((await tom.call('GET', MAPS)).status).toBe(200);
    await plane.api.ok('DELETE', `${RBAC}/namespaces/default/rolebindings/${name}`);
    expect((await tom.call('GET', MAPS)).status).toBe(403);
  });

  it('to a role that is not there says so in the refusal', async () => {
    for (const [kind, name] of [
      ['Role', 'gone'],
      ['ClusterRole', 'gone-too'],
    ])
      await plane.api.ok('POST', `${RBAC}/namespaces/default/rolebindings`, {
        metadata: { name },
        roleRef: { kind, name },
        subjects: [user('lost')],
      });
    const { json } = await actingAs(plane, 'lost').call('GET', MAPS);
    expect(json.message).toBe(
      'configmaps is forbidden: User "lost" cannot list resource "configmaps" in API group "" in the namespace "default": RBAC: [role.rbac.authorization.k8s.io "gone" not found, clusterrole.rbac.authorization.k8s.io "gone-too" not found]',
    );
  });
});

describe('a rule with names', () => {
  it('allows these, also listed and watched by name, and no create', async () => {
    await plane.api.ok('POST', MAPS, configMap('mine'));
    await give(plane, {
      namespace: 'default',
      rules: [rule('*', 'configmaps', { resourceNames: ['mine'] })],
      subjects: [user('owner')],
    });
    const owner = actingAs(plane, 'owner');
    const status = async (method: string, path: string, body?: Json) =>
      (await owner.call(method, path, body)).status;
    expect(await status('GET', `${MAPS}/mine`)).toBe(200);
    expect(await status('GET', `${MAPS}/other`)).toBe(403);
    expect(await status('GET', MAPS)).toBe(403);
    expect(await status('GET', `${MAPS}?fieldSelector=metadata.name%3Dmine`)).toBe(200);
    expect(await status('GET', `${MAPS}?fieldSelector=metadata.name!%3Dmine`)).toBe(403);
    expect(await status('GET', `${MAPS}?fieldSelector=metadata.name%3Dother`)).toBe(403);
    expect(await status('POST', MAPS, configMap('mine'))).toBe(403);
    expect(await status('DELETE', `${MAPS}?fieldSelector=metadata.name%3Dmine`)).toBe(403);
    expect(await status('DELETE', `${MAPS}/mine`)).toBe(200);
  });
});

describe('a PUT', () => {
  const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';

  it('makes an object of some kinds, only for who may create it', async () => {
    const lease = (holderIdentity: string) => ({ metadata: { name: 'put' }, spec: { holderIdentity } });
    await give(plane, {
      namespace: 'default',
      rules: [{ apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['update'] }],
      subjects: [user('replacer')],
    });
    const replacer = actingAs(plane, 'replacer');
    const refused = await replacer.call('PUT', `${LEASES}/put`, lease('it'));
    expect([refused.status, refused.json.message]).toEqual([
      403,
      'leases.coordination.k8s.io is forbidden: User "replacer" cannot create resource "leases" in API group "coordination.k8s.io" in the namespace "default"',
    ]);
    const made = await plane.api.call('PUT', `${LEASES}/put`, lease('me'));
    expect([made.status, made.json.metadata.name, made.json.spec]).toEqual([
      201,
      'put',
      { holderIdentity: 'me' },
    ]);
    const replaced = await replacer.call('PUT', `${LEASES}/put`, lease('it'));
    expect([replaced.status, replaced.json.metadata.uid]).toEqual([200, made.json.metadata.uid]);
  });

  it('that speaks of an object that was there, or of another kind, makes none', async () => {
    const { status } = await plane.api.call('PUT', `${LEASES}/gone`, { metadata: { uid: 'x' } });
    const old = await plane.api.call('PUT', `${LEASES}/gone`, { metadata: { resourceVersion: '1' } });
    const map = await plane.api.call('PUT', `${MAPS}/gone`, configMap('gone'));
    const other = await plane.api.call('PUT', `${LEASES}/gone`, { metadata: { name: 'other' } });
    expect([status, old.status, map.status, other.status]).toEqual([404, 404, 404, 400]);
  });
});

describe('server-side apply', () => {
  it('makes an object only for who may create it, and changes it for who may patch', async () => {
    await give(plane, {
      namespace: 'default',
      rules: [rule('patch', 'configmaps')],
      subjects: [user('patcher')],
    });
    const patcher = actingAs(plane, 'patcher');
    const apply = (name: string) =>
      patcher.call(
        'PATCH',
        `${MAPS}/${name}?fieldManager=me`,
        { ...configMap(name), data: { a: 'b' } },
        { type: 'application/apply-patch+yaml' },
      );
    const { status, json } = await apply('absent');
    expect([status, json.message]).toEqual([
      403,
      'configmaps is forbidden: User "patcher" cannot create resource "configmaps" in API group "" in the namespace "default"',
    ]);
    await plane.api.ok('POST', MAPS, configMap('there'));
    expect((await apply('there')).status).toBe(200);
  });
});
