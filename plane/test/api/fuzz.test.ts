// Whatever JSON a client sends, the answer is the client's own mistake or a success: never an error of the plane.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APPLY, JSON_PATCH, MERGE, STRATEGIC } from '../support/api-client.ts';
import { runs } from '../support/fixed-seed.ts';
import { joinPlane } from '../support/hollow-agent.ts';
import { configMap, daemonSet, NODES, SETS } from '../support/manifests.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
  await joinPlane(plane, 'node1');
  await plane.api.ok(
    'POST',
    SETS,
    daemonSet('web', {
      pod: {
        volumes: [{ name: 'v', hostPath: { path: '/' } }],
        containers: [{ name: 'main', image: 'i', env: [{ name: 'A', value: 'b' }] }],
      },
    }),
  );
  await plane.api.ok('POST', MAPS, configMap('map'));
  await plane.api.ok('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 'secret' } });
});
afterAll(() => plane.stop());

const MAPS = '/api/v1/namespaces/default/configmaps';
const TARGETS = [
  `${SETS}/web`,
  `${NODES}/node1`,
  `${MAPS}/map`,
  '/api/v1/namespaces/default/secrets/secret',
  '/api/v1/namespaces/default',
];

const KINDS: { readonly [plural: string]: string } = {
  daemonsets: 'DaemonSet',
  nodes: 'Node',
  configmaps: 'ConfigMap',
  secrets: 'Secret',
};
const typeOf = (target: string) => ({
  apiVersion: target.startsWith('/apis/apps') ? 'apps/v1' : 'v1',
  kind: KINDS[target.split('/').at(-2) ?? ''] ?? 'Namespace',
});

/** Words that mean something to some part of the way. */
const WORDS =
  'metadata spec status name namespace labels annotations finalizers ownerReferences uid kind apiVersion data stringData type immutable selector matchLabels matchExpressions template containers initContainers image env value valueFrom ports containerPort volumes hostPath path resources limits requests updateStrategy rollingUpdate maxUnavailable maxSurge minReadySeconds tolerations affinity nodeAffinity requiredDuringSchedulingIgnoredDuringExecution nodeSelectorTerms nodeSelector taints key effect operator values unschedulable livenessProbe httpGet tcpSocket exec command port securityContext capabilities add drop $patch $retainKeys $setElementOrder/containers $setElementOrder/env $deleteFromPrimitiveList/finalizers __proto__ constructor toString generation resourceVersion deletionTimestamp'.split(
    ' ',
  );
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 7, depthSize: 'medium' },
    fc.constantFrom(
      null,
      true,
      0,
      -1,
      1.5,
      1e30,
      '',
      'web',
      'main',
      'delete',
      'replace',
      'merge',
      '50%',
      '1Gi',
      'NoSchedule',
    ),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...WORDS), tie('json'), { maxKeys: 4 }),
  ),
}));
/** Deep enough to reach where it hurts. */
const wrapped = json.chain((value) =>
  fc.constantFrom(
    value,
    { spec: value },
    { metadata: value },
    { spec: { template: value } },
    { spec: { template: { spec: value } } },
    { spec: { template: { spec: { containers: [value] } } } },
    { spec: { template: { spec: { containers: value, affinity: value, volumes: value } } } },
    { spec: { selector: value, updateStrategy: value } },
    { spec: { taints: value } },
    { data: value },
  ),
);
const pointer = fc
  .array(fc.constantFrom(...WORDS, '0', '-', '~1'), { maxLength: 5 })
  .map((parts) => parts.map((part) => `/${part.replaceAll('/', '~1')}`).join(''));
const operation = fc.record({
  op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'odd'),
  path: pointer,
  from: pointer,
  value: json,
});

const answersWell = async (method: string, path: string, body: unknown, type: string) => {
  const { status, text } = await plane.api.call(method, path, JSON.stringify(body), { type });
  expect([200, 201, 400, 403, 409, 422], `${method} ${path}: ${text}`).toContain(status);
};

describe('any JSON', () => {
  it('as a patch of either kind', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...TARGETS),
        fc.constantFrom(MERGE, STRATEGIC),
        wrapped,
        (target, type, patch) => answersWell('PATCH', `${target}?dryRun=All`, patch, type),
      ),
      runs(500),
    );
  });

  it('as what is applied on the server, by several, forced or not, and as managed fields', async () => {
    const config = fc.oneof(
      wrapped,
      json.map((fieldsV1) => ({
        metadata: { managedFields: [{ operation: 'Apply', fieldsType: 'FieldsV1', manager: 'a', fieldsV1 }] },
      })),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...TARGETS, `${MAPS}/new`),
        fc.constantFrom('a', 'b'),
        fc.boolean(),
        fc.constantFrom('', '&dryRun=All'),
        config,
        async (target, manager, force, dry, body) => {
          const query = `fieldManager=${manager}${dry}`;
          const config =
            typeof body === 'object' && !Array.isArray(body) ? { ...typeOf(target), ...body } : body;
          await answersWell('PATCH', `${target}?${query}&force=${force}`, config, APPLY);
          if (target !== `${MAPS}/new`) await answersWell('PATCH', `${target}?${query}`, body, MERGE);
        },
      ),
      runs(400),
    );
  });

  it.each([
    ['an anchor that refers to itself', 'data: &a\n  x: *a\n'],
    [
      'aliases of aliases',
      `a0: &a0 [x, x]\n${Array.from({ length: 30 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]\n`).join('')}`,
    ],
    ['many documents', 'data: {}\n---\ndata: {}\n'],
    ['deep nesting', '['.repeat(20_000)],
    ['no text at all', ''],
    ['a tag that is none', 'data: !!js/function "x"\n'],
    ['a key that is a map', '? {a: b}\n: c\n'],
  ])('YAML with %s is refused, or read for what it is', async (_, text) => {
    const path = `${MAPS}/map?fieldManager=y&dryRun=All`;
    const reply = await plane.api.call('PATCH', path, text, { type: APPLY });
    expect([200, 400], reply.text).toContain(reply.status);
  });

  it('as a list of JSON patch operations', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...TARGETS),
        fc.array(operation, { maxLength: 4 }),
        (target, operations) => answersWell('PATCH', `${target}?dryRun=All`, operations, JSON_PATCH),
      ),
      {
        ...runs(300),
        // The library that applies the patch threw over this one.
        examples: [
          [`${SETS}/web`, [{ op: 'test', path: '/metadata', from: '', value: [{ toString: null }] }]],
        ],
      },
    );
  });

  it('as a new object or in place of one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...TARGETS.filter((target) => !target.startsWith(NODES))),
        wrapped,
        async (target, body) => {
          await answersWell('PUT', `${target}?dryRun=All`, body, 'application/json');
          const collection = target.slice(0, target.lastIndexOf('/'));
          await answersWell('POST', `${collection}?dryRun=All`, body, 'application/json');
        },
      ),
      runs(300),
    );
  });

  it('as the options of a deletion', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.constantFrom(
            'gracePeriodSeconds',
            'propagationPolicy',
            'preconditions',
            'orphanDependents',
            'uid',
          ),
          json,
        ),
        async (body) => {
          const { status } = await plane.api.call('DELETE', `${MAPS}/map?dryRun=All`, {
            ...body,
            dryRun: ['All'],
          });
          expect([200, 400, 405, 409]).toContain(status);
        },
      ),
      runs(100),
    );
  });

  it('and none of it was an error of the plane', () => {
    expect(plane.complaints).toEqual([]);
    expect(({} as { polluted?: string }).polluted).toBeUndefined();
  });
});
