// Lists: order, selectors, pages, and the forms an answer can take.

import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { configMap, daemonSet, newNamespace } from '../support/manifests.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
let namespace: string;
let maps: string;
/** The last is in every namespace. */
const NAMES = ['alpha', 'beta', 'delta', 'epsilon', 'gamma', 'zeta', 'eta', 'kube-root-ca.crt'];

beforeAll(async () => {
  plane = await startTestPlane();
  namespace = await newNamespace(plane.api);
  maps = `/api/v1/namespaces/${namespace}/configmaps`;
  for (const [index, name] of NAMES.entries()) {
    const labels = { parity: index % 2 ? 'odd' : 'even', [name]: 'x' };
    const isThere = name === NAMES.at(-1);
    if (isThere) await plane.api.ok('PATCH', `${maps}/${name}`, { metadata: { labels } }, { type: MERGE });
    else await plane.api.ok('POST', maps, configMap(name, { n: String(index) }, { labels }));
  }
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const names = ({ items }: Json): string[] => items.map(({ metadata }: Json) => metadata.name);
const sorted = [...NAMES].sort();
const list = (query = ''): Promise<Json> => plane.api.ok('GET', maps + query);

describe('a list', () => {
  it('is in order of its names, and carries a version that no object exceeds', async () => {
    const all = await list();
    expect(names(all)).toEqual(sorted);
    expect(all).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1' });
    const newest = Math.max(...all.items.map(({ metadata }: Json) => Number(metadata.resourceVersion)));
    expect(Number(all.metadata.resourceVersion)).toBeGreaterThanOrEqual(newest);
    expect(all.metadata).not.toHaveProperty('continue');
  });

  it('over all namespaces is in order of namespaces, then names', async () => {
    const other = await newNamespace(plane.api);
    await plane.api.ok('POST', `/api/v1/namespaces/${other}/configmaps`, configMap('aaa'));
    const { items } = await plane.api.ok('GET', '/api/v1/configmaps');
    const ids = items.map(({ metadata }: Json) => `${metadata.namespace}/${metadata.name}`);
    expect(ids).toEqual([...ids].sort());
    expect(ids).toContain(`${other}/aaa`);
  });

  it('of a namespace that is not there is empty, as in Kubernetes', async () => {
    expect((await plane.api.ok('GET', '/api/v1/namespaces/nowhere/configmaps')).items).toEqual([]);
  });

  it('with resourceVersion=0 or a past one is the newest; one of the future is to be asked for later', async () => {
    expect(names(await list('?resourceVersion=0'))).toEqual(sorted);
    expect(names(await list('?resourceVersion=1&resourceVersionMatch=NotOlderThan'))).toEqual(sorted);
    const reply = await plane.api.call('GET', `${maps}?resourceVersion=99999999`);
    expect([reply.status, reply.json.reason, reply.headers['retry-after']]).toEqual([504, 'Timeout', '1']);
    expect(reply.json.details.causes[0].reason).toBe('ResourceVersionTooLarge');
  });

  it('that is large is zipped for whoever takes that', async () => {
    const large = await newNamespace(plane.api);
    const path = `/api/v1/namespaces/${large}/configmaps`;
    for (const name of ['a', 'b'])
      await plane.api.ok('POST', path, configMap(name, { text: 'x'.repeat(100_000) }));
    const plain = await plane.api.call('GET', path);
    expect(plain.headers).not.toHaveProperty('content-encoding');
    const zipped = await plane.api.call('GET', path, undefined, { headers: { 'Accept-Encoding': 'gzip' } });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(Number(zipped.headers['content-length'])).toBe(zipped.bytes.length);
    expect(gunzipSync(zipped.bytes).toString()).toBe(plain.text);
  });
});

describe('a label selector', () => {
  it.each<[string, string[]]>([
    ['parity=even', ['alpha', 'delta', 'gamma', 'eta']],
    ['parity==odd', ['beta', 'epsilon', 'kube-root-ca.crt', 'zeta']],
    ['parity!=odd', ['alpha', 'delta', 'gamma', 'eta']],
    ['parity in (odd, even),zeta', ['zeta']],
    ['parity notin (even)', ['beta', 'epsilon', 'kube-root-ca.crt', 'zeta']],
    ['!parity', []],
    ['alpha', ['alpha']],
    ['!alpha,parity=even', ['delta', 'gamma', 'eta']],
    ['nothing!=x', NAMES],
    ['', NAMES],
  ])('%s', async (selector, expected) => {
    const found = names(await list(`?labelSelector=${encodeURIComponent(selector)}`));
    expect(found).toEqual([...expected].sort());
  });
});

describe('a field selector', () => {
  it.each<[string, string[]]>([
    ['metadata.name=beta', ['beta']],
    [
      'metadata.name!=beta,metadata.name!=zeta',
      ['alpha', 'delta', 'epsilon', 'eta', 'gamma', 'kube-root-ca.crt'],
    ],
    ['metadata.namespace=nowhere', []],
    ['metadata.name=', []],
    ['metadata.name=beta,', ['beta']],
  ])('%s', async (selector, expected) => {
    expect(names(await list(`?fieldSelector=${encodeURIComponent(selector)}`))).toEqual(expected);
  });

  it.each([
    ['secrets', 'type%3DOpaque', 200],
    ['namespaces', 'status.phase%3DActive', 200],
    ['nodes', 'spec.unschedulable%3Dfalse', 200],
    ['pods', 'spec.nodeName%3D,status.phase!%3DRunning,spec.restartPolicy%3DAlways', 200],
    ['events', 'involvedObject.kind%3DPod,involvedObject.fieldPath%3D,reason%3DX,type%3DNormal', 200],
    ['configmaps', 'type%3DOpaque', 400],
    ['pods', 'status.podName%3Dx', 400],
    ['nodes', 'metadata.labels%3Dx', 400],
  ])('of %s may be %s: %i', async (plural, selector, code) => {
    const reply = await plane.api.call('GET', `/api/v1/${plural}?fieldSelector=${selector}`);
    expect(reply.status).toBe(code);
    if (code === 400) expect(reply.json.message).toMatch(/^field label not supported: /);
  });
});

describe('pages', () => {
  it('together are the whole list, each object once, and say how many are still to come', async () => {
    const found: string[] = [];
    const remaining: Json[] = [];
    let token = '';
    do {
      const page = await list(`?limit=3${token && `&continue=${token}`}`);
      found.push(...names(page));
      remaining.push(page.metadata.remainingItemCount);
      token = page.metadata.continue ?? '';
    } while (token);
    expect(found).toEqual(sorted);
    expect(remaining).toEqual([5, 2, undefined]);
  });

  it('of a selection do not count what remains', async () => {
    const page = await list('?limit=1&labelSelector=parity%3Deven');
    expect(page.metadata.continue).toBeDefined();
    expect(page.metadata).not.toHaveProperty('remainingItemCount');
    const rest = await list(`?labelSelector=parity%3Deven&continue=${page.metadata.continue}`);
    expect([...names(page), ...names(rest)]).toEqual(['alpha', 'delta', 'eta', 'gamma']);
  });

  it('carry the version of the first: a watch from there misses nothing that came between them', async () => {
    const first = await list('?limit=3');
    await plane.api.ok('PATCH', `${maps}/zeta`, { data: { n: 'changed' } }, { type: MERGE });
    const second = await list(`?limit=10&continue=${first.metadata.continue}`);
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    const watch = await plane.api.watch(
      `${maps}?watch=true&resourceVersion=${second.metadata.resourceVersion}`,
    );
    const event = await watch.next('the change between');
    expect(event.object.data.n).toBe('changed');
    watch.close();
  });

  it('end well when what they went on from is deleted', async () => {
    await plane.api.ok('POST', maps, configMap('beta2'));
    const first = await list('?limit=3');
    expect(names(first)).toEqual(['alpha', 'beta', 'beta2']);
    await plane.api.ok('DELETE', `${maps}/beta2`);
    expect(names(await list(`?continue=${first.metadata.continue}`))).toEqual(sorted.slice(2));
  });

  it('show what was there when the first was made, whatever was made, changed or deleted since', async () => {
    const before = (await list()).items;
    const first = await list('?limit=2');
    await plane.api.ok('POST', maps, configMap('omega'));
    await plane.api.ok('PATCH', `${maps}/gamma`, { data: { n: 'new' } }, { type: MERGE });
    await plane.api.ok('PATCH', `${maps}/gamma`, { data: { n: 'newer' } }, { type: MERGE });
    await plane.api.ok('DELETE', `${maps}/omega`);
    await plane.api.ok('POST', maps, configMap('psi'));
    const rest = await list(`?continue=${first.metadata.continue}`);
    expect([...first.items, ...rest.items]).toEqual(before);
    const exact = await list(`?resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`);
    expect(exact).toMatchObject({ metadata: { resourceVersion: first.metadata.resourceVersion } });
    expect(exact.items).toEqual(before);
    expect(names(await list())).toContain('psi');
    await plane.api.ok('DELETE', `${maps}/psi`);
  });

  it('from before a restart have expired: 410, and a new list works', async () => {
    const { metadata } = await list('?limit=3');
    await plane.restart();
    const reply = await plane.api.call('GET', `${maps}?limit=3&continue=${metadata.continue}`);
    expect([reply.status, reply.json.reason]).toEqual([410, 'Expired']);
    expect(reply.json.message).toContain('The provided continue parameter is too old');
    expect(names(await list())).toEqual(sorted);
  });
});

describe('a continue parameter that was not given out here', () => {
  it.each([
    ['no JSON', 'x', 400],
    ['no number', '{"version":"1","after":""}', 400],
    ['a number that is no version', '{"version":1e300,"after":""}', 400],
    ['a version of the future', '{"version":99999999,"after":""}', 504],
    ['a version from before the beginning', '{"version":-5,"after":""}', 410],
  ])('%s', async (_, text, status) => {
    const token = Buffer.from(text).toString('base64url');
    expect((await plane.api.call('GET', `${maps}?limit=1&continue=${token}`)).status).toBe(status);
  });
});

describe('the form of bare metadata', () => {
  const accept = (as: string) => ({
    headers: { Accept: `application/json;as=${as};v=v1;g=meta.k8s.io,application/json` },
  });

  it('is told of one object and of a list', async () => {
    const one = await plane.api.ok('GET', `${maps}/alpha`, undefined, accept('PartialObjectMetadata'));
    const whole = await plane.api.ok('GET', `${maps}/alpha`);
    expect(one).toEqual({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: whole.metadata,
    });
    const many = await plane.api.ok('GET', `${maps}?limit=2`, undefined, accept('PartialObjectMetadataList'));
    expect(many).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' });
    expect(many.items[0]).toEqual(one);
    expect(many.metadata.continue).toBeDefined();
  });
});

describe('an object', () => {
  it('is the same however it is asked for', async () => {
    const sets = `/apis/apps/v1/namespaces/${namespace}/daemonsets`;
    await plane.api.ok('POST', sets, daemonSet('web'));
    const one = await plane.api.ok('GET', `${sets}/web`);
    const [listed] = (await plane.api.ok('GET', `${sets}?fieldSelector=metadata.name%3Dweb`)).items;
    const status = await plane.api.ok('GET', `${sets}/web/status`);
    expect(listed.metadata.uid).toBe(one.metadata.uid);
    expect(status.kind).toBe('DaemonSet');
    expect(status.metadata.uid).toBe(one.metadata.uid);
  });
});
