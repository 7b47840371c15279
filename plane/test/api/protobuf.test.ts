// Bodies in Kubernetes' protobuf, as kubectl from 1.32 on sends them for `create namespace`, `configmap`, `secret`
// (contract b.3).

import { request } from 'node:https';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { runs } from '../support/fixed-seed.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const TYPE = 'application/vnd.kubernetes.protobuf';
const MAGIC = Buffer.from('k8s\0');
type Value = string | boolean | number | Uint8Array;

/** A message of the fields given, by number; lists repeat. */
function message(fields: { readonly [number: number]: Value | readonly Value[] }): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, given] of Object.entries(fields))
    for (const value of Array.isArray(given) ? given : [given])
      if (typeof value === 'boolean') writer.uint32(Number(number) << 3).bool(value);
      else if (typeof value === 'number') writer.uint32(Number(number) << 3).int64(value);
      else if (typeof value === 'string') writer.uint32((Number(number) << 3) | 2).string(value);
      else writer.uint32((Number(number) << 3) | 2).bytes(value);
  return writer.finish();
}

const entry = (key: string, value: Value): Uint8Array => message({ 1: key, 2: value });
const envelope = (kind: string, raw: Uint8Array, apiVersion = 'v1'): Buffer =>
  Buffer.concat([MAGIC, message({ 1: message({ 1: apiVersion, 2: kind }), 2: raw, 3: '', 4: '' })]);

const post = (path: string, body: Uint8Array, method = 'POST'): Promise<{ status: number; json: Json }> =>
  new Promise((resolve, reject) => {
    const outgoing = request(
      {
        ...plane.admin,
        host: '127.0.0.1',
        port: plane.apiPort,
        method,
        path,
        headers: { 'Content-Type': TYPE, 'Content-Length': body.length, Accept: `${TYPE},application/json` },
      },
      async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk as Buffer);
        resolve({ status: response.statusCode ?? 0, json: JSON.parse(Buffer.concat(chunks).toString()) });
      },
    );
    outgoing.on('error', reject).end(body);
  });

const MAPS = '/api/v1/namespaces/default/configmaps';

describe('a protobuf body', () => {
  it('of a Namespace makes one, answered in JSON', async () => {
    const { status, json } = await post(
      '/api/v1/namespaces?fieldManager=kubectl-create&fieldValidation=Strict',
      envelope(
        'Namespace',
        message({ 1: message({ 1: 'from-protobuf', 2: '', 3: '', 11: [entry('a', 'b'), entry('c', '')] }) }),
      ),
    );
    expect(status).toBe(201);
    expect(json).toMatchObject({
      kind: 'Namespace',
      metadata: { name: 'from-protobuf', labels: { a: 'b', c: '' } },
      status: { phase: 'Active' },
    });
    expect(Object.keys(json.metadata)).not.toContain('generateName');
    expect(Object.keys(json.metadata)).not.toContain('namespace');
  });

  it('of a ConfigMap carries text and bytes', async () => {
    const { status, json } = await post(
      MAPS,
      envelope(
        'ConfigMap',
        message({
          1: message({ 1: 'binary', 12: [entry('note', 'ü')] }),
          2: [entry('key', 'vælue'), entry('__proto__', 'x')],
          3: [entry('bytes', new Uint8Array([0, 255, 1]))],
          4: true,
        }),
      ),
    );
    expect(status).toBe(201);
    expect(JSON.stringify(json.data)).toBe('{"key":"vælue","__proto__":"x"}');
    expect(json).toMatchObject({
      metadata: { annotations: { note: 'ü' } },
      binaryData: { bytes: 'AP8B' },
      immutable: true,
    });
  });

  it('of a Secret carries its data as bytes', async () => {
    const { status, json } = await post(
      '/api/v1/namespaces/default/secrets',
      envelope(
        'Secret',
        message({
          1: message({ 1: 'secret' }),
          2: [entry('a', Buffer.from('value'))],
          3: 'my/type',
          4: [entry('b', 'text')],
        }),
      ),
    );
    expect(status).toBe(201);
    expect(json).toMatchObject({ type: 'my/type', data: { a: 'dmFsdWU=', b: 'dGV4dA==' } });
  });

  it.each<[string, string, string, Uint8Array, Json]>([
    [
      'ServiceAccount',
      'v1',
      '/api/v1/namespaces/default/serviceaccounts',
      message({ 1: message({ 1: 'bot' }), 2: [message({ 3: 'a' })], 3: [message({ 1: 'pull' })], 4: true }),
      { secrets: [{ name: 'a' }], imagePullSecrets: [{ name: 'pull' }], automountServiceAccountToken: true },
    ],
    [
      'TokenRequest',
      'authentication.k8s.io/v1',
      '/api/v1/namespaces/default/serviceaccounts/default/token',
      Buffer.concat([
        message({ 1: message({}) }),
        // 1000 seconds, as a varint.
        message({ 2: Buffer.concat([message({ 1: ['me', 'you'] }), Buffer.from([4 << 3, 0xe8, 0x07])]) }),
      ]),
      { spec: { audiences: ['me', 'you'], expirationSeconds: 1000 } },
    ],
    [
      'ClusterRole',
      'rbac.authorization.k8s.io/v1',
      '/apis/rbac.authorization.k8s.io/v1/clusterroles',
      message({
        1: message({ 1: 'from-protobuf' }),
        2: [message({ 1: ['get'], 2: [''], 3: ['pods'], 4: ['x'] }), message({ 1: ['get'], 5: ['/a'] })],
        3: message({ 1: [message({ 1: [entry('a', 'b')], 2: [message({ 1: 'k', 2: 'In', 3: ['v'] })] })] }),
      }),
      {
        aggregationRule: {
          clusterRoleSelectors: [
            { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'k', operator: 'In', values: ['v'] }] },
          ],
        },
        rules: [
          { verbs: ['get'], apiGroups: [''], resources: ['pods'], resourceNames: ['x'] },
          { verbs: ['get'], nonResourceURLs: ['/a'] },
        ],
      },
    ],
    [
      'RoleBinding',
      'rbac.authorization.k8s.io/v1',
      '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings',
      message({
        1: message({ 1: 'from-protobuf' }),
        2: [message({ 1: 'ServiceAccount', 3: 'bot', 4: 'default' })],
        3: message({ 1: 'rbac.authorization.k8s.io', 2: 'ClusterRole', 3: 'view' }),
      }),
      {
        subjects: [{ kind: 'ServiceAccount', name: 'bot', namespace: 'default' }],
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      },
    ],
    [
      'SubjectAccessReview',
      'authorization.k8s.io/v1',
      '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      message({
        2: message({
          1: message({ 1: 'default', 2: 'get', 5: 'pods', 6: 'log', 7: 'p' }),
          3: 'jane',
          4: ['dev'],
          5: [entry('team', message({ 1: ['x', 'y'] }))],
        }),
      }),
      {
        spec: {
          resourceAttributes: {
            namespace: 'default',
            verb: 'get',
            resource: 'pods',
            subresource: 'log',
            name: 'p',
          },
          user: 'jane',
          groups: ['dev'],
          extra: { team: ['x', 'y'] },
        },
        status: { allowed: false },
      },
    ],
  ])('of a %s carries all of it', async (kind, version, path, raw, expected) => {
    const { status, json } = await post(path, envelope(kind, raw, version));
    expect([status, json.message]).toEqual([201, undefined]);
    expect(json).toMatchObject(expected);
  });

  it('of a Service leaves out what Go writes as zero, and tells numbers of ports from names', async () => {
    const port = (name: string, target: Uint8Array) =>
      message({ 1: name, 2: 'TCP', 3: name === 'a' ? 80 : 81, 4: target, 5: 0 });
    const spec = message({
      1: [port('a', message({ 1: 0, 2: 8080, 3: '' })), port('b', message({ 1: 1, 2: 0, 3: 'web' }))],
      2: entry('app', 'x'),
      3: '',
      4: 'ClusterIP',
      12: 0,
      13: false,
    });
    const raw = message({ 1: message({ 1: 'protobuf' }), 2: spec });
    const { status, json } = await post('/api/v1/namespaces/default/services', envelope('Service', raw));
    expect(status).toBe(201);
    expect(json.spec).toEqual({
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      selector: { app: 'x' },
      ports: [
        { name: 'a', port: 80, protocol: 'TCP', targetPort: 8080 },
        { name: 'b', port: 81, protocol: 'TCP', targetPort: 'web' },
      ],
    });
  });

  it('of a PriorityClass carries its value', async () => {
    const raw = message({ 1: message({ 1: 'protobuf' }), 2: 1000, 3: false, 4: 'why' });
    const { json } = await post(
      '/apis/scheduling.k8s.io/v1/priorityclasses',
      envelope('PriorityClass', raw, 'scheduling.k8s.io/v1'),
    );
    expect(json).toMatchObject({ value: 1000, description: 'why' });
  });

  it('says how to delete, as Go’s controllers do it, in the version of any group', async () => {
    await plane.api.ok('POST', MAPS, { metadata: { name: 'to-delete' } });
    const { uid } = (await plane.api.ok('GET', `${MAPS}/to-delete`)).metadata;
    const options = (fields: Parameters<typeof message>[0], version = 'v1') =>
      post(`${MAPS}/to-delete`, envelope('DeleteOptions', message(fields), version), 'DELETE');
    expect((await options({ 2: message({ 1: 'another' }) })).status).toBe(409);
    expect((await options({ 5: ['All'] })).status).toBe(200);
    expect((await options({ 4: 'Sideways' })).status).toBe(400);
    const { status } = await options({ 1: 0, 2: message({ 1: uid }), 4: 'Background' }, 'apps/v1');
    expect(status).toBe(200);
    expect((await plane.api.call('GET', `${MAPS}/to-delete`)).status).toBe(404);
  });

  it('is validated like any other', async () => {
    const { status, json } = await post(
      MAPS,
      envelope('ConfigMap', message({ 1: message({ 1: 'Not Good' }) })),
    );
    expect([status, json.reason]).toEqual([422, 'Invalid']);
    const wrong = await post(MAPS, envelope('Secret', message({ 1: message({ 1: 'x' }) })));
    expect([wrong.status, wrong.json.reason]).toEqual([400, 'BadRequest']);
  });

  it('of a kind that is not read is told to be sent as JSON', async () => {
    for (const [kind, version] of [
      ['DaemonSet', 'apps/v1'],
      ['Nonsense', 'v1'],
      ['Namespace', 'v2'],
      ['toString', 'v1'],
    ] as const) {
      const { status, json } = await post(MAPS, envelope(kind, new Uint8Array(), version));
      expect([status, json.reason]).toEqual([415, 'UnsupportedMediaType']);
      expect(json.message).toContain('send application/json');
    }
  });

  it('without its magic is refused', async () => {
    expect((await post(MAPS, Buffer.from('{}'))).status).toBe(400);
    expect((await post(MAPS, new Uint8Array())).status).toBe(400);
  });

  it('that is broken, anywhere, is the client’s mistake and never the plane’s', async () => {
    const good = envelope(
      'ConfigMap',
      message({ 1: message({ 1: 'fuzzed', 11: [entry('a', 'b')] }), 2: [entry('k', 'v')] }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: good.length }),
        fc.uint8Array({ minLength: 0, maxLength: 12 }),
        fc.boolean(),
        async (at, bytes, replace) => {
          const rest = replace ? good.subarray(at + bytes.length) : good.subarray(at);
          const { status } = await post(
            `${MAPS}?dryRun=All`,
            Buffer.concat([good.subarray(0, at), bytes, rest]),
          );
          expect([201, 400, 415, 422]).toContain(status);
        },
      ),
      runs(150),
    );
  });
});
