// What a client is told when a request cannot be served: the table of contract b.7a, over real HTTPS.
import { webcrypto } from 'node:crypto';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAuthority } from '../../src/identity/authority.ts';
import { APPLY, type CallOptions, createApiClient, type Json } from '../support/api-client.ts';
import { signedByItself } from '../support/forged-certificate.ts';
import { configMap, daemonSet, NODES, SETS } from '../support/manifests.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
  await plane.api.ok('POST', SETS, daemonSet('web'));
  await plane.api.ok('POST', MAPS, configMap('here'));
});
afterAll(() => plane.stop());

const MAPS = '/api/v1/namespaces/default/configmaps';
const MERGE = { type: 'application/merge-patch+json' };

/** Everything a Status must have, besides what the test names. */
function expectStatus(reply: { status: number; json: Json }, code: number, reason: string): Json {
  expect(reply.json).toMatchObject({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason,
    code,
  });
  expect(reply.status).toBe(code);
  return reply.json;
}

interface Case {
  readonly request: readonly [method: string, path: string, body?: unknown, options?: CallOptions];
  readonly code: number;
  readonly reason: string;
  readonly message: string | RegExp;
  readonly details?: Json;
}

const CASES: Record<string, Case> = {
  'a missing object of a named group is told with its group': {
    request: ['GET', `${SETS}/nope`],
    code: 404,
    reason: 'NotFound',
    message: 'daemonsets.apps "nope" not found',
    details: { name: 'nope', group: 'apps', kind: 'daemonsets' },
  },
  'a missing object of the core group is told without one': {
    request: ['DELETE', '/api/v1/namespaces/default/pods/nope'],
    code: 404,
    reason: 'NotFound',
    message: 'pods "nope" not found',
    details: { name: 'nope', kind: 'pods' },
  },
  'a path that is not served has no details': {
    request: ['GET', '/apis/batch/v1/jobs'],
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
  },
  'a namespaced object without its namespace is a path that is not served': {
    request: ['GET', '/api/v1/pods/nope'],
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
  },
  'a broken percent sign in the path is a path that is not served': {
    request: ['GET', '/api/v1/nodes/%E0%A4%A'],
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
  },
  'creating in a namespace that is not there': {
    request: ['POST', '/api/v1/namespaces/nowhere/configmaps', configMap('x')],
    code: 404,
    reason: 'NotFound',
    message: 'namespaces "nowhere" not found',
    details: { name: 'nowhere', kind: 'namespaces' },
  },
  'creating what is there': {
    request: ['POST', SETS, daemonSet('web')],
    code: 409,
    reason: 'AlreadyExists',
    message: 'daemonsets.apps "web" already exists',
    details: { name: 'web', group: 'apps', kind: 'daemonsets' },
  },
  'creating what is there, as a dry run': {
    request: ['POST', `${SETS}?dryRun=All`, daemonSet('web')],
    code: 409,
    reason: 'AlreadyExists',
    message: 'daemonsets.apps "web" already exists',
  },
  'changing an older version': {
    request: ['PATCH', `${SETS}/web`, { metadata: { resourceVersion: '1', labels: { a: 'b' } } }, MERGE],
    code: 409,
    reason: 'Conflict',
    message:
      'Operation cannot be fulfilled on daemonsets.apps "web": the object has been modified; please apply your changes to the latest version and try again',
    details: { name: 'web', group: 'apps', kind: 'daemonsets' },
  },
  'several errors in one manifest come as one cause each, with field and reason': {
    request: [
      'POST',
      SETS,
      {
        ...daemonSet('Bad_Name'),
        spec: {
          selector: { matchLabels: { app: 'x' } },
          template: {
            metadata: { labels: { app: 'y' } },
            spec: { restartPolicy: 'Never', containers: [{ image: 'i' }] },
          },
        },
      },
    ],
    code: 422,
    reason: 'Invalid',
    message: /^DaemonSet\.apps "Bad_Name" is invalid: \[/,
    details: {
      name: 'Bad_Name',
      group: 'apps',
      kind: 'DaemonSet',
      causes: expect.arrayContaining([
        {
          reason: 'FieldValueInvalid',
          field: 'metadata.name',
          message: expect.stringContaining('"Bad_Name"'),
        },
        {
          reason: 'FieldValueRequired',
          field: 'spec.template.spec.containers[0].name',
          message: 'Required value',
        },
        {
          reason: 'FieldValueNotSupported',
          field: 'spec.template.spec.restartPolicy',
          message: expect.stringContaining('supported values: "Always"'),
        },
        { reason: 'FieldValueInvalid', field: 'spec.template.metadata.labels', message: expect.anything() },
      ]),
    },
  },
  'one error stands alone in the message': {
    request: ['POST', MAPS, configMap('x', { 'a b': 'c' })],
    code: 422,
    reason: 'Invalid',
    message: /^ConfigMap "x" is invalid: data\[a b\]: Invalid value/,
    details: { name: 'x', kind: 'ConfigMap', causes: [expect.objectContaining({ field: 'data[a b]' })] },
  },
  'an object without any name': {
    request: ['POST', MAPS, { data: {} }],
    code: 422,
    reason: 'Invalid',
    message: /metadata\.name: Required value: name or generateName is required/,
  },
  'what fleetset does not do yet is said at apply time': {
    request: [
      'POST',
      SETS,
      daemonSet('x', { pod: { runtimeClassName: 'gvisor' }, spec: { minReadySeconds: 1 } }),
    ],
    code: 422,
    reason: 'Invalid',
    message: /spec\.template\.spec\.runtimeClassName: Forbidden: not supported by fleetset/,
  },
  'unknown fields under Strict are all named, with their paths': {
    request: [
      'POST',
      `${SETS}?fieldValidation=Strict`,
      daemonSet('x', {
        pod: { containers: [{ name: 'main', image: 'i', bar: 1 }] },
        spec: { foo: 1 },
      }),
    ],
    code: 400,
    reason: 'BadRequest',
    message:
      'DaemonSet in version "v1" cannot be handled as a DaemonSet: strict decoding error: unknown field "spec.template.spec.containers[0].bar", unknown field "spec.foo"',
  },
  'wrong types are named, with their paths': {
    request: ['POST', SETS, daemonSet('x', { spec: { minReadySeconds: 'soon', selector: [] } })],
    code: 400,
    reason: 'BadRequest',
    message:
      /cannot be handled as a DaemonSet: spec\.selector: expected an object, got a list, spec\.minReadySeconds: expected an integer, got a string/,
  },
  'a body that is no JSON': {
    request: ['POST', MAPS, '{"metadata": '],
    code: 400,
    reason: 'BadRequest',
    message: /^the body of the request is not JSON: /,
  },
  'a body that is JSON but no object': {
    request: ['POST', MAPS, '[1,2]'],
    code: 400,
    reason: 'BadRequest',
    message: /expected an object, got a list/,
  },
  'a body of another kind than the path': {
    request: ['POST', MAPS, { ...configMap('x'), kind: 'Secret' }],
    code: 400,
    reason: 'BadRequest',
    message: 'the kind in the data (Secret) does not match the expected kind (ConfigMap)',
  },
  'a body of another version than the path': {
    request: ['POST', SETS, { ...daemonSet('x'), apiVersion: 'extensions/v1beta1' }],
    code: 400,
    reason: 'BadRequest',
    message:
      'the API version in the data (extensions/v1beta1) does not match the expected API version (apps/v1)',
  },
  'another namespace in the body than in the path': {
    request: ['POST', MAPS, configMap('x', {}, { namespace: 'kube-system' })],
    code: 400,
    reason: 'BadRequest',
    message:
      'the namespace of the provided object does not match the namespace sent on the request (kube-system and default)',
  },
  'another name in the body than in the path': {
    request: ['PUT', `${MAPS}/here`, configMap('there')],
    code: 400,
    reason: 'BadRequest',
    message: 'the name of the object (there) does not match the name on the URL (here)',
  },
  'no name in the body of a replacement': {
    request: ['PUT', `${MAPS}/here`, { data: {} }],
    code: 400,
    reason: 'BadRequest',
    message: 'the name of the object (here based on URL) was undeterminable: name must be provided',
  },
  'no name in a replacement that would make the object': {
    request: ['PUT', '/api/v1/namespaces/default/services/gone', { spec: {} }],
    code: 400,
    reason: 'BadRequest',
    message: 'the name of the object (gone based on URL) was undeterminable: name must be provided',
  },
  'a name that a patch takes away': {
    request: ['PATCH', `${MAPS}/here`, { metadata: { name: null } }, MERGE],
    code: 400,
    reason: 'BadRequest',
    message: 'the name of the object (here based on URL) was undeterminable: name must be provided',
  },
  'creating across all namespaces': {
    request: ['POST', '/api/v1/configmaps', configMap('x')],
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
  },
  'creating with a resourceVersion': {
    request: ['POST', MAPS, configMap('x', {}, { resourceVersion: '5' })],
    code: 400,
    reason: 'BadRequest',
    message: 'resourceVersion should not be set on objects to be created',
  },
  'an unknown field validation': {
    request: ['POST', `${MAPS}?fieldValidation=Maybe`, configMap('x')],
    code: 400,
    reason: 'BadRequest',
    message: 'fieldValidation: Unsupported value: "Maybe": supported values: "Ignore", "Strict", "Warn"',
  },
  'an unknown dry run': {
    request: ['POST', `${MAPS}?dryRun=Some`, configMap('x')],
    code: 400,
    reason: 'BadRequest',
    message: 'dryRun: Unsupported value: "Some": supported values: "All"',
  },
  'an unknown propagation policy': {
    request: ['DELETE', `${MAPS}/here`, { propagationPolicy: 'Sideways' }],
    code: 400,
    reason: 'BadRequest',
    message: /^propagationPolicy: Unsupported value: "Sideways"/,
  },
  'a strategic merge patch whose list item lacks its key': {
    request: [
      'PATCH',
      `${SETS}/web`,
      { spec: { template: { spec: { containers: [{ image: 'x' }] } } } },
      { type: 'application/strategic-merge-patch+json' },
    ],
    code: 400,
    reason: 'BadRequest',
    message: /does not contain declared merge key: name/,
  },
  'a JSON patch whose test fails': {
    request: [
      'PATCH',
      `${MAPS}/here`,
      [{ op: 'test', path: '/data/key', value: 'other' }],
      { type: 'application/json-patch+json' },
    ],
    code: 422,
    reason: 'Invalid',
    message: /^the server rejected our request due to an error in our request/,
  },
  'a JSON patch that is no list': {
    request: ['PATCH', `${MAPS}/here`, { op: 'add' }, { type: 'application/json-patch+json' }],
    code: 400,
    reason: 'BadRequest',
    message: 'a JSON patch must be a list of operations',
  },
  'a merge patch that is no object': {
    request: ['PATCH', `${MAPS}/here`, '[]', MERGE],
    code: 400,
    reason: 'BadRequest',
    message: 'a merge patch must be an object',
  },
  'creating in a media type that is not read': {
    request: ['POST', MAPS, 'kind: ConfigMap', { type: 'text/plain' }],
    code: 415,
    reason: 'UnsupportedMediaType',
    message:
      /^the body of the request was in an unknown format - accepted media types include: application\/json/,
  },
  'patching in a media type that is no patch': {
    request: ['PATCH', `${MAPS}/here`, {}, { type: 'application/json' }],
    code: 415,
    reason: 'UnsupportedMediaType',
    message: /accepted media types include: application\/json-patch\+json/,
  },
  'server-side apply without a manager': {
    request: ['PATCH', `${MAPS}/here`, {}, { type: APPLY }],
    code: 422,
    reason: 'Invalid',
    message:
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  },
  'server-side apply of something without a type': {
    request: ['PATCH', `${MAPS}/here?fieldManager=x`, { data: {} }, { type: APPLY }],
    code: 400,
    reason: 'BadRequest',
    message: 'invalid object type: /, Kind=',
  },
  'server-side apply of something without a kind': {
    request: ['PATCH', `${SETS}/web?fieldManager=x`, { apiVersion: 'apps/v1' }, { type: APPLY }],
    code: 400,
    reason: 'BadRequest',
    message: 'invalid object type: apps/v1, Kind=',
  },
  'server-side apply of something without a version, and of an odd kind': {
    request: ['PATCH', `${MAPS}/here?fieldManager=x`, { kind: { toString: 1 } }, { type: APPLY }],
    code: 400,
    reason: 'BadRequest',
    message: 'invalid object type: /, Kind=',
  },
  'server-side apply of an empty text': {
    request: ['PATCH', `${MAPS}/here?fieldManager=x`, ' ', { type: APPLY }],
    code: 400,
    reason: 'BadRequest',
    message: 'invalid object type: /, Kind=',
  },
  'server-side apply by a manager with a name that cannot be printed': {
    request: ['PATCH', `${MAPS}/here?fieldManager=a%0Ab`, {}, { type: APPLY }],
    code: 422,
    reason: 'Invalid',
    message: /fieldManager: Invalid value: "a\\nb": should only contain printable characters/,
  },
  'server-side apply of a field that there is not': {
    request: ['PATCH', `${MAPS}/here?fieldManager=x`, { ...configMap('here'), dat: {} }, { type: APPLY }],
    code: 400,
    reason: 'BadRequest',
    message:
      'failed to create typed patch object (default/here; v1, Kind=ConfigMap): .dat: field not declared in schema',
  },
  'server-side apply of managed fields': {
    request: [
      'PATCH',
      `${MAPS}/here?fieldManager=x`,
      configMap('here', {}, { managedFields: [{}] }),
      { type: APPLY },
    ],
    code: 400,
    reason: 'BadRequest',
    message: 'metadata.managedFields must be nil',
  },
  'server-side apply of what is no YAML': {
    request: ['PATCH', `${MAPS}/here?fieldManager=x`, 'a: [', { type: APPLY }],
    code: 400,
    reason: 'BadRequest',
    message: /the body of the request is not YAML/,
  },
  'force without server-side apply': {
    request: ['PATCH', `${MAPS}/here?force=true`, {}, MERGE],
    code: 422,
    reason: 'Invalid',
    message:
      'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
  },
  'managed fields that are none': {
    request: [
      'PATCH',
      `${MAPS}/here`,
      { metadata: { managedFields: [{ operation: 'Guess', fieldsType: 'FieldsV1' }] } },
      MERGE,
    ],
    code: 422,
    reason: 'Invalid',
    message: /metadata.managedFields\[0\].operation: Invalid value: "Guess": must be `Apply` or `Update`/,
  },
  'making a pod by hand': {
    request: ['POST', '/api/v1/namespaces/default/pods', { metadata: { name: 'x' } }],
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'pods cannot be written: an agent makes the pods of its node from DaemonSets',
  },
  'making a node by hand': {
    request: ['POST', NODES, { metadata: { name: 'x' } }],
    code: 405,
    reason: 'MethodNotAllowed',
    message: "nodes cannot be created: a machine joins with 'fleetset join'",
  },
  'deleting with two answers to what becomes of the pods': {
    request: ['DELETE', `${SETS}/web`, { propagationPolicy: 'Orphan', orphanDependents: true }],
    code: 400,
    reason: 'BadRequest',
    message: 'orphanDependents: Invalid value: may not be set together with propagationPolicy',
  },
  'deleting with an orphanDependents that is neither true nor false': {
    request: ['DELETE', `${SETS}/web`, { orphanDependents: 'perhaps' }],
    code: 400,
    reason: 'BadRequest',
    message:
      'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: orphanDependents: expected a boolean, got a string',
  },
  'deleting a namespace the plane needs': {
    request: ['DELETE', '/api/v1/namespaces/kube-system'],
    code: 403,
    reason: 'Forbidden',
    message: 'namespaces "kube-system" is forbidden: this namespace may not be deleted',
  },
  'an unknown field of a field selector': {
    request: ['GET', `${MAPS}?fieldSelector=data.key%3Dx`],
    code: 400,
    reason: 'BadRequest',
    message: 'field label not supported: data.key',
  },
  'a label selector that cannot be read': {
    request: ['GET', `${MAPS}?labelSelector=a%20in%20b`],
    code: 400,
    reason: 'BadRequest',
    message: /unable to parse requirement/,
  },
  'a match of no version': {
    request: ['GET', `${MAPS}?resourceVersionMatch=Exact`],
    code: 422,
    reason: 'Invalid',
    message:
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
  },
  'a match that is none': {
    request: ['GET', `${MAPS}?resourceVersion=1&resourceVersionMatch=About`],
    code: 422,
    reason: 'Invalid',
    message: /resourceVersionMatch: Unsupported value: "About": supported values: "Exact", "NotOlderThan"/,
  },
  'an exact match of any version': {
    request: ['GET', `${MAPS}?resourceVersion=0&resourceVersionMatch=Exact`],
    code: 422,
    reason: 'Invalid',
    message: /resourceVersionMatch "exact" is forbidden for resourceVersion "0"/,
  },
  'a watch with initial events and no match': {
    request: ['GET', `${MAPS}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true`],
    code: 422,
    reason: 'Invalid',
    message: /sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/,
  },
  'a watch with a match': {
    request: ['GET', `${MAPS}?watch=true&resourceVersion=1&resourceVersionMatch=NotOlderThan`],
    code: 422,
    reason: 'Invalid',
    message: /resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided/,
  },
  'reading a version that is not there yet': {
    request: ['GET', '/api/v1/namespaces/default?resourceVersion=999999999'],
    code: 504,
    reason: 'Timeout',
    message: /^Too large resource version: 999999999, current: /,
  },
  'deleting all of all namespaces': {
    request: ['DELETE', '/api/v1/configmaps'],
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
  },
  'making a pod in all namespaces': {
    request: ['POST', '/api/v1/pods', { metadata: { name: 'x', namespace: 'default' } }],
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
  },
  'asking a review of one namespace in all': {
    request: ['POST', '/apis/authorization.k8s.io/v1/localsubjectaccessreviews', {}],
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
  },
  'a continue token that is none': {
    request: ['GET', `${MAPS}?limit=1&continue=abc`],
    code: 400,
    reason: 'BadRequest',
    message: 'continue key is not valid',
  },
  'a watch from a version that is none': {
    request: ['GET', `${MAPS}?watch=true&resourceVersion=yesterday`],
    code: 400,
    reason: 'BadRequest',
    message: 'invalid resource version: "yesterday"',
  },
  'posting to discovery': {
    request: ['POST', '/api/v1', {}],
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'POST is not allowed on /api/v1',
  },
};

describe('a Status is answered for', () => {
  it.each(Object.entries(CASES))('%s', async (_, { request, code, reason, message, details }) => {
    const status = expectStatus(await plane.api.call(...request), code, reason);
    if (typeof message === 'string') expect(status.message).toBe(message);
    else expect(status.message).toMatch(message);
    if (details) expect(status.details).toEqual(details);
    else if (code === 404) expect(status).not.toHaveProperty('details');
  });

  it('and none of it is an error of the plane, or changed anything', async () => {
    expect(plane.complaints).toEqual([]);
    const maps = await plane.api.ok('GET', MAPS);
    expect(maps.items.map(({ metadata }: Json) => metadata.name)).toEqual(['here', 'kube-root-ca.crt']);
  });
});

describe('large bodies', () => {
  const large = (bytes: number) => configMap('large', { text: 'x'.repeat(bytes) });

  // Seen failing when the request is destroyed at the limit: the client gets ECONNRESET in place of the answer.
  it('a body of 5 MB is read to its end and then refused, on every verb that has one, and the socket lives', async () => {
    for (const [method, path, type] of [
      ['POST', MAPS, 'application/json'],
      ['PUT', `${MAPS}/here`, 'application/json'],
      ['PATCH', `${MAPS}/here`, 'application/merge-patch+json'],
      ['PATCH', `${SETS}/web`, 'application/strategic-merge-patch+json'],
      ['DELETE', `${MAPS}/here`, 'application/json'],
    ] as const) {
      const reply = await plane.api.call(method, path, large(5 * 1024 * 1024), { type });
      const status = expectStatus(reply, 413, 'RequestEntityTooLarge');
      expect(status.message).toBe('Request entity too large: limit is 3145728 bytes');
    }
    expect((await plane.api.ok('GET', `${MAPS}/here`)).data).toEqual({ key: 'value' });
  });

  it('a body just over the limit is refused and one just under it is judged by its content', async () => {
    const limit = 3 * 1024 * 1024;
    const frame = JSON.stringify(large(0)).length;
    expectStatus(await plane.api.call('POST', MAPS, large(limit - frame + 1)), 413, 'RequestEntityTooLarge');
    const judged = await plane.api.call('POST', MAPS, large(limit - frame));
    expect(expectStatus(judged, 422, 'Invalid').details.causes[0].reason).toBe('FieldValueTooLong');
  });
});

describe('who is calling', () => {
  const client = (credentials: Json) => createApiClient(() => plane.apiPort, credentials);
  const call = async (credentials: Json, path = SETS) => {
    const api = client(credentials);
    const reply = await api.call('GET', path);
    api.close();
    return reply;
  };

  it('nobody: 403, on every path but version and health', async () => {
    for (const path of [SETS, '/api', '/apis', '/openapi/v2', '/openapi/v3', '/nowhere'])
      expect(expectStatus(await call({ ca: plane.admin.ca }, path), 403, 'Forbidden').message).toContain(
        'User "system:anonymous" cannot ',
      );
  });

  it('the administrator of another plane, whose certificate is no different but for its CA: 401', async () => {
    const foreign = await openAuthority(join(tempDir(), 'pki'));
    const { key, certificate: cert } = await foreign.adminIdentity();
    expectStatus(await call({ ca: plane.admin.ca, key, cert }), 401, 'Unauthorized');
  });

  it('an administrator of the right name and issuer who signed for himself: not served', async () => {
    const { key = '', cert = '' } = plane.admin;
    const forged = await signedByItself({ key, certificate: cert });
    const reply = await call({ ca: plane.admin.ca, key, cert: forged }).catch((error: Error) => error);
    // OpenSSL drops the connection over the bad signature.
    if (reply instanceof Error) expect(reply).toMatchObject({ code: 'ECONNRESET' });
    else expectStatus(reply, 401, 'Unauthorized');
  });

  it('a resumed TLS session is the caller it was: still nobody, still the administrator', async () => {
    const foreign = await openAuthority(join(tempDir(), 'pki'));
    const { key, certificate: cert } = await foreign.adminIdentity();
    for (const [credentials, status] of [
      [{ ca: plane.admin.ca, key, cert }, 401],
      [plane.admin, 200],
    ] as const) {
      const agent = new Agent({ keepAlive: false });
      expect(await callOver(agent, credentials)).toEqual({ status, resumed: false });
      expect(await callOver(agent, credentials)).toEqual({ status, resumed: true });
    }
  });

  const callOver = (agent: Agent, credentials: Json): Promise<Json> =>
    new Promise((resolve, reject) => {
      const options = { ...credentials, agent, host: '127.0.0.1', port: plane.apiPort, path: SETS };
      const outgoing = request(options, (response) => {
        const resumed = (response.socket as TLSSocket).isSessionReused();
        response.resume().on('end', () => resolve({ status: response.statusCode, resumed }));
      });
      outgoing.on('error', reject).end();
    });

  it('a node that this plane signed and does not know: 401', async () => {
    const authority = await openAuthority(join(plane.dataDir, 'pki'));
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']);
    const publicKey = new Uint8Array(await webcrypto.subtle.exportKey('spki', keys.publicKey));
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    const node = {
      ca: plane.admin.ca,
      key: `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`,
      cert: await authority.signNode('node1', publicKey),
    };
    expectStatus(await call(node), 401, 'Unauthorized');
  });
});
