// What the plane says it serves, and that it does: discovery in both forms, version, health (contract b.1).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiClient, type Json } from '../support/api-client.ts';
import { startTestPlane, type TestPlane, VERSION } from '../support/test-plane.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(() => plane.stop());

const V2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const V2BETA1 = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList';
/** What kubectl of these versions sends. */
const ACCEPT = {
  '1.20': 'application/json, */*',
  '1.27': `${V2BETA1},application/json`,
  '1.32': `${V2},${V2BETA1},application/json`,
};

const ROOTS = [
  ['', '/api/v1'],
  ['apps', '/apis/apps/v1'],
  ['authentication.k8s.io', '/apis/authentication.k8s.io/v1'],
  ['authorization.k8s.io', '/apis/authorization.k8s.io/v1'],
  ['coordination.k8s.io', '/apis/coordination.k8s.io/v1'],
  ['discovery.k8s.io', '/apis/discovery.k8s.io/v1'],
  ['events.k8s.io', '/apis/events.k8s.io/v1'],
  ['fleetset.dev', '/apis/fleetset.dev/v1'],
  ['metrics.k8s.io', '/apis/metrics.k8s.io/v1beta1'],
  ['rbac.authorization.k8s.io', '/apis/rbac.authorization.k8s.io/v1'],
  ['scheduling.k8s.io', '/apis/scheduling.k8s.io/v1'],
] as const;

describe('plain discovery', () => {
  it('lists the core group and the named ones', async () => {
    expect(await plane.api.ok('GET', '/api')).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    const groups = await plane.api.ok('GET', '/apis', undefined, { headers: { Accept: ACCEPT['1.20'] } });
    expect(groups.kind).toBe('APIGroupList');
    expect(groups.groups.map((group: Json) => [group.name, group.preferredVersion.groupVersion])).toEqual([
      ['apps', 'apps/v1'],
      ['authentication.k8s.io', 'authentication.k8s.io/v1'],
      ['authorization.k8s.io', 'authorization.k8s.io/v1'],
      ['coordination.k8s.io', 'coordination.k8s.io/v1'],
      ['discovery.k8s.io', 'discovery.k8s.io/v1'],
      ['events.k8s.io', 'events.k8s.io/v1'],
      ['fleetset.dev', 'fleetset.dev/v1'],
      ['metrics.k8s.io', 'metrics.k8s.io/v1beta1'],
      ['rbac.authorization.k8s.io', 'rbac.authorization.k8s.io/v1'],
      ['scheduling.k8s.io', 'scheduling.k8s.io/v1'],
    ]);
    expect((await plane.api.call('GET', '/apis/metrics.k8s.io/v1')).status).toBe(404);
    expect(await plane.api.ok('GET', '/apis/apps')).toMatchObject({ kind: 'APIGroup', name: 'apps' });
  });

  it('names what kubectl needs: plural, short names, category all, and how drain may evict', async () => {
    const core = await plane.api.ok('GET', '/api/v1');
    const named = (list: Json, name: string) => list.resources.find((one: Json) => one.name === name);
    expect(core).toMatchObject({ kind: 'APIResourceList', groupVersion: 'v1' });
    expect(core.resources.map((one: Json) => one.name).sort()).toEqual([
      'configmaps',
      'endpoints',
      'events',
      'namespaces',
      'namespaces/finalize',
      'namespaces/status',
      'nodes',
      'nodes/status',
      'pods',
      'pods/attach',
      'pods/eviction',
      'pods/exec',
      'pods/log',
      'pods/portforward',
      'pods/status',
      'secrets',
      'serviceaccounts',
      'serviceaccounts/token',
      'services',
      'services/status',
    ]);
    expect(named(core, 'pods')).toMatchObject({ namespaced: true, shortNames: ['po'], categories: ['all'] });
    expect(named(core, 'pods/eviction')).toMatchObject({ group: 'policy', version: 'v1', kind: 'Eviction' });
    expect(named(core, 'nodes')).toMatchObject({ namespaced: false, kind: 'Node' });
    const apps = await plane.api.ok('GET', '/apis/apps/v1');
    expect(named(apps, 'daemonsets')).toMatchObject({ shortNames: ['ds'], categories: ['all'] });
    expect(named(apps, 'controllerrevisions').verbs).toEqual(['delete', 'get', 'list', 'watch']);
  });
});

describe('aggregated discovery', () => {
  it.each([
    ['1.27', V2BETA1],
    ['1.32', V2],
  ] as const)(
    'answers kubectl %s in the form and with the media type it asked for',
    async (version, type) => {
      for (const path of ['/api', '/apis']) {
        const reply = await plane.api.call('GET', path, undefined, { headers: { Accept: ACCEPT[version] } });
        expect(reply.headers['content-type']).toBe(type);
        expect(reply.headers.vary).toContain('Accept');
        expect(reply.json.kind).toBe('APIGroupDiscoveryList');
        expect(reply.json.apiVersion).toBe(`apidiscovery.k8s.io/${version === '1.32' ? 'v2' : 'v2beta1'}`);
      }
    },
  );

  it('answers plain to who asks plain', async () => {
    const reply = await plane.api.call('GET', '/apis', undefined, { headers: { Accept: ACCEPT['1.20'] } });
    expect(reply.headers['content-type']).toBe('application/json');
    expect(reply.json.kind).toBe('APIGroupList');
  });

  it('says the same as the plain form, resource by resource and verb by verb', async () => {
    const shown = new Map<string, Json>();
    for (const path of ['/api', '/apis']) {
      const list = await plane.api.ok('GET', path, undefined, { headers: { Accept: V2 } });
      for (const group of list.items)
        for (const resource of group.versions[0].resources) {
          shown.set(`${group.metadata.name ?? ''}/${resource.resource}`, resource.verbs);
          for (const sub of resource.subresources ?? [])
            shown.set(`${group.metadata.name ?? ''}/${resource.resource}/${sub.subresource}`, sub.verbs);
        }
    }
    const plain = new Map<string, Json>();
    for (const [group, path] of ROOTS)
      for (const resource of (await plane.api.ok('GET', path)).resources)
        plain.set(`${group}/${resource.name}`, resource.verbs);
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(plain));
  });
});

describe('what discovery says', () => {
  it('is what is served: every listed verb is no 404 and no 405, every other is refused', async () => {
    const requests: Record<string, readonly [method: string, item: boolean]> = {
      get: ['GET', true],
      list: ['GET', false],
      create: ['POST', false],
      update: ['PUT', true],
      patch: ['PATCH', true],
      delete: ['DELETE', true],
    };
    for (const [, root] of ROOTS) {
      const { resources } = await plane.api.ok('GET', root);
      for (const { name, namespaced, verbs } of resources) {
        const [plural, subresource] = name.split('/');
        const base = `${root}${namespaced ? '/namespaces/default' : ''}/${plural}`;
        for (const [verb, [method, item]] of Object.entries(requests)) {
          if (subresource && !item) continue;
          const path = `${base}${item ? '/no-such-thing' : ''}${subresource ? `/${subresource}` : ''}`;
          const body = method === 'GET' || method === 'DELETE' ? undefined : {};
          const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
          const { status } = await plane.api.call(method, path, body, { type });
          const said = `${verb} ${name}: ${status}`;
          if (verbs.includes(verb)) expect(status, said).not.toBe(405);
          else expect(status, said).toBe(405);
        }
      }
    }
  });
});

describe('without any certificate', () => {
  const anybody = () => createApiClient(() => plane.apiPort, { ca: plane.admin.ca });

  it.each(['/healthz', '/livez', '/readyz'])(`%s says ok`, async (path) => {
    expect((await anybody().call('GET', path)).text).toBe('ok');
  });

  it('/version is that of the Kubernetes whose API this is, with our own behind it, all strings', async () => {
    const version = await anybody().ok('GET', '/version');
    expect(version).toMatchObject({ major: '1', minor: '32', gitVersion: `v1.32.0+fleetset-${VERSION}` });
    expect(Object.keys(version).sort()).toEqual([
      'buildDate',
      'compiler',
      'gitCommit',
      'gitTreeState',
      'gitVersion',
      'goVersion',
      'major',
      'minor',
      'platform',
    ]);
    expect(Object.values(version).every((value) => typeof value === 'string')).toBe(true);
  });
});
