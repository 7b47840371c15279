// Requests that are refused with words: bad parameters, odd paths, what is too large, what is not served yet.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { configMap, NODES } from '../support/manifests.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(async () => {
  // What a client asked for wrongly is no complaint, and 501 is no failure of the plane.
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const MAPS = '/api/v1/namespaces/default/configmaps';

describe('a parameter of a list or a watch that is no number', () => {
  // The bug this found: it was taken for none at all.
  it.each([
    ['limit=abc', 'limit: Invalid value: "abc": must be an integer'],
    ['limit=', 'limit: Invalid value: "": must be an integer'],
    ['limit=1.5', 'limit: Invalid value: "1.5": must be an integer'],
    ['limit=9223372036854775808', 'limit: Invalid value: "9223372036854775808": must be an integer'],
    ['resourceVersion=abc', 'invalid resource version: "abc"'],
    ['resourceVersion=-1', 'invalid resource version: "-1"'],
    ['watch=true&resourceVersion=abc', 'invalid resource version: "abc"'],
    ['watch=true&timeoutSeconds=soon', 'timeoutSeconds: Invalid value: "soon": must be an integer'],
  ])('%s is refused', async (query, message) => {
    const reply = await plane.api.call('GET', `${NODES}?${query}`);
    expect([reply.status, reply.json.reason, reply.json.message]).toEqual([400, 'BadRequest', message]);
  });

  it.each(['limit=0', 'limit=-1', 'limit=9223372036854775807', 'resourceVersion='])(
    '%s is one, and lists everything',
    async (query) => {
      const { items } = await plane.api.ok('GET', `/api/v1/namespaces?${query}`);
      expect(items.length).toBeGreaterThanOrEqual(4);
    },
  );
});

describe('a path of slashes', () => {
  // The bug this found: it was taken for a host without a name, and failed.
  it.each(['//', '///', '//?watch=true', '//nowhere'])('%s is one that is not served', async (path) => {
    const reply = await plane.api.call('GET', path);
    expect([reply.status, reply.json.reason]).toEqual([404, 'NotFound']);
  });
});

describe('a field selector by the name of what every object inherits', () => {
  // The bug this found: the first was an error of the plane, the second selected nothing without a word.
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    '%s is not supported',
    async (field) => {
      for (const watch of ['', '&watch=true']) {
        const reply = await plane.api.call('GET', `/api/v1/namespaces?fieldSelector=${field}%3Dx${watch}`);
        expect([reply.status, reply.json.message]).toEqual([400, `field label not supported: ${field}`]);
      }
    },
  );
});

describe('a subresource of a namespaced object', () => {
  // The bug this found: the name was looked up as a namespace and a name.
  it.each([
    ['POST', '/api/v1/serviceaccounts/default%2Fdefault/token'],
    ['GET', '/api/v1/serviceaccounts/default%2Fdefault'],
    ['GET', '/apis/apps/v1/daemonsets/default%2Fweb/status'],
  ])('is not served without its namespace: %s %s', async (method, path) => {
    const reply = await plane.api.call(method, path, method === 'POST' ? {} : undefined);
    expect([reply.status, reply.json.message]).toEqual([
      404,
      'the server could not find the requested resource',
    ]);
  });
});

describe('the data of a ConfigMap or Secret', () => {
  const MB = 1024 * 1024;
  const tooLong = 'data: Too long: may not be more than 1048576 bytes';
  const base64 = (bytes: number) => Buffer.alloc(bytes, 1).toString('base64');
  const secret = (bytes: number) => ({ metadata: { name: 'large' }, data: { a: base64(bytes) } });

  // The bug this found: four tenths more than the message says were taken.
  it.each<[string, string, Json, number]>([
    ['as much text as may be', 'configmaps', configMap('large', { a: 'x'.repeat(MB) }), 201],
    ['one letter more', 'configmaps', configMap('large', { a: 'x'.repeat(MB), b: 'x' }), 422],
    ['letters that are two bytes each', 'configmaps', configMap('large', { a: 'ü'.repeat(MB / 2 + 1) }), 422],
    [
      'text and bytes together',
      'configmaps',
      { ...configMap('large', { a: 'x'.repeat(MB / 2) }), binaryData: { b: base64(MB / 2 + 1) } },
      422,
    ],
    ['as many bytes of a Secret as may be', 'secrets', secret(MB), 201],
    ['one byte more of a Secret', 'secrets', secret(MB + 1), 422],
  ])('%s', async (_, plural, object, status) => {
    const reply = await plane.api.call('POST', `/api/v1/namespaces/default/${plural}?dryRun=All`, object);
    expect(reply.status).toBe(status);
    if (status === 422) {
      expect(reply.json.message).toContain(tooLong);
      expect(reply.json.details.causes[0]).toMatchObject({ reason: 'FieldValueTooLong', field: 'data' });
    }
  });

  it('of a ConfigMap has each key once, as text or as bytes', async () => {
    const both = { ...configMap('both', { a: 'x', b: 'y' }), binaryData: { a: 'eA==' } };
    const { status, json } = await plane.api.call('POST', '/api/v1/namespaces/default/configmaps', both);
    expect([status, json.message]).toEqual([
      422,
      'ConfigMap "both" is invalid: data[a]: Invalid value: "a": duplicate of key present in binaryData',
    ]);
  });
});

describe('a Secret of a type that Kubernetes knows', () => {
  const make = (type: string, stringData: Json = {}, annotations: Json = {}) =>
    plane.api.call('POST', '/api/v1/namespaces/default/secrets?dryRun=All', {
      metadata: { name: 'typed', annotations },
      type: `kubernetes.io/${type}`,
      stringData,
    });
  const account = { 'kubernetes.io/service-account.name': 'default' };

  it.each<[string, Json, Json, string | undefined]>([
    ['tls', { 'tls.crt': 'c' }, {}, 'data[tls.key]: Required value'],
    ['tls', { 'tls.crt': 'c', 'tls.key': '' }, {}, undefined],
    ['basic-auth', {}, {}, 'data[username]: Required value, data[password]: Required value'],
    ['basic-auth', { password: 'p' }, {}, undefined],
    ['ssh-auth', { 'ssh-privatekey': '' }, {}, 'data[ssh-privatekey]: Required value'],
    ['ssh-auth', { 'ssh-privatekey': 'k' }, {}, undefined],
    ['dockercfg', {}, {}, 'data[.dockercfg]: Required value'],
    ['dockerconfigjson', { '.dockerconfigjson': 'nonsense' }, {}, 'must be JSON'],
    ['dockerconfigjson', { '.dockerconfigjson': '{"auths":{}}' }, {}, undefined],
    ['service-account-token', {}, {}, 'service-account.name]: Required value'],
    ['service-account-token', {}, account, undefined],
    ['of-our-own', {}, {}, undefined],
  ])('%s holds what it must: %j', async (type, data, annotations, why) => {
    const { status, json } = await make(type, data, annotations);
    if (why === undefined) return expect(status).toBe(201);
    expect([status, json.message.includes(why)]).toEqual([422, true]);
    expect(json.message).not.toContain('nonsense');
  });
});

describe('deleting many', () => {
  // The bug this found: the first that was gone already ended it with 404, and the rest stayed.
  it('twice at once succeeds twice', async () => {
    for (let n = 0; n < 40; n++)
      await plane.api.ok('POST', MAPS, configMap(`many-${n}`, {}, { labels: { many: 'yes' } }));
    const selected = `${MAPS}?labelSelector=many%3Dyes`;
    const replies = await Promise.all([1, 2, 3].map(() => plane.api.call('DELETE', selected)));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await plane.api.ok('GET', selected)).items).toEqual([]);
  });
});
