// Proves strategic merge patches: the bodies that kubectl really sends (kubectl-contract b.7 and b.9), every directive,
// the order of lists, and what is malformed.
import { applyStrategicMerge } from '@fleetset/scheduler-core/patch/strategic-merge';
import { planHistory } from '@fleetset/scheduler-core/revision-history';
import { daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { node } from '@fleetset/scheduler-core/schema/node';
import type { Schema } from '@fleetset/scheduler-core/schema/schema';
import { describe, expect, test } from 'vitest';
import { edited, MINIMAL, readDaemonSet } from '../manifest.ts';

function merged(schema: Schema, current: unknown, patch: unknown): unknown {
  const before = JSON.stringify([current, patch]);
  const result = applyStrategicMerge(schema, current, patch);
  expect(JSON.stringify([current, patch]), 'neither side is touched').toBe(before);
  if ('problem' in result) throw new Error(result.problem);
  return result.value;
}

const inPod = (spec: object) => ({ spec: { template: { spec } } });
const inMain = (fields: object) => inPod({ containers: [{ name: 'main', ...fields }] });
type PodOf = { spec: { template: { spec: { [field: string]: never } } } };
const podOf = (value: unknown) => (value as PodOf).spec.template.spec;

describe('bodies that kubectl sends', () => {
  test('apply adds a variable', () => {
    const current = inMain({ image: 'web:1', env: [{ name: 'GREETING', value: 'ho' }] });
    const patch = {
      spec: {
        template: {
          spec: {
            '$setElementOrder/containers': [{ name: 'main' }],
            containers: [
              {
                '$setElementOrder/env': [{ name: 'GREETING' }, { name: 'Z' }],
                env: [
                  { name: 'GREETING', value: 'ho' },
                  { name: 'Z', value: 'z' },
                ],
                name: 'main',
              },
            ],
          },
        },
      },
    };
    const env = [
      { name: 'GREETING', value: 'ho' },
      { name: 'Z', value: 'z' },
    ];
    expect(merged(daemonSet, current, patch)).toEqual(inMain({ image: 'web:1', env }));
  });

  test('apply removes it again', () => {
    const env = [
      { name: 'GREETING', value: 'ho' },
      { name: 'Z', value: 'z' },
    ];
    const patch = {
      spec: {
        template: {
          spec: {
            '$setElementOrder/containers': [{ name: 'main' }],
            containers: [
              {
                '$setElementOrder/env': [{ name: 'GREETING' }],
                env: [{ $patch: 'delete', name: 'Z' }],
                name: 'main',
              },
            ],
          },
        },
      },
    };
    expect(merged(daemonSet, inMain({ image: 'web:1', env }), patch)).toEqual(
      inMain({ image: 'web:1', env: [{ name: 'GREETING', value: 'ho' }] }),
    );
  });

  test('set image', () => {
    const patch = {
      spec: {
        template: {
          spec: {
            '$setElementOrder/containers': [{ name: 'main' }],
            containers: [{ image: 'web:2', name: 'main' }],
          },
        },
      },
    };
    expect(merged(daemonSet, inMain({ image: 'web:1', args: ['a'] }), patch)).toEqual(
      inMain({ image: 'web:2', args: ['a'] }),
    );
  });

  test('rollout restart', () => {
    const annotations = { 'kubectl.kubernetes.io/restartedAt': '2026-01-01T00:00:00Z' };
    const patch = { spec: { template: { metadata: { annotations } } } };
    const current = edited(MINIMAL, [['spec.template.metadata.annotations', { a: 'b' }]]);
    expect(merged(daemonSet, current, patch)).toEqual(
      edited(MINIMAL, [['spec.template.metadata.annotations', { a: 'b', ...annotations }]]),
    );
  });

  test('rule 56: rollout undo sends what a revision keeps, and nothing of the newer template stays', () => {
    const old = readDaemonSet(MINIMAL);
    const kept = planHistory(old, [], new Set()).current.data;
    const newer = readDaemonSet(
      edited(MINIMAL, [
        ['main.env', [{ name: 'A' }]],
        ['pod.hostNetwork', true],
        ['spec.template.metadata.annotations', { a: 'b' }],
      ]),
    );
    expect(merged(daemonSet, newer, kept)).toEqual(old);
  });

  test('cordon and uncordon', () => {
    const current = { metadata: { name: 'n' }, spec: { podCIDR: '10.0.0.0/24' } };
    const cordoned = merged(node, current, { spec: { unschedulable: true } });
    expect(cordoned).toEqual({ ...current, spec: { podCIDR: '10.0.0.0/24', unschedulable: true } });
    expect(merged(node, cordoned, { spec: { unschedulable: null } })).toEqual(current);
  });

  test('taint sends the whole list, in which a key may occur twice', () => {
    const taints = [
      { key: 'a', effect: 'NoSchedule' },
      { key: 'a', effect: 'NoExecute' },
    ];
    const current = { spec: { taints: [{ key: 'b', effect: 'NoSchedule', timeAdded: 'now' }] } };
    expect(merged(node, current, { spec: { taints } })).toEqual({ spec: { taints } });
    expect(merged(node, { spec: { taints } }, { spec: { taints: null } })).toEqual({ spec: {} });
  });

  test('apply changes the source of a volume: $retainKeys drops the other', () => {
    const current = inPod({
      volumes: [
        { name: 'v', hostPath: { path: '/v', type: '' } },
        { name: 'w', emptyDir: {} },
      ],
    });
    const patch = inPod({
      '$setElementOrder/volumes': [{ name: 'v' }, { name: 'w' }],
      volumes: [{ $retainKeys: ['emptyDir', 'name'], emptyDir: {}, name: 'v' }],
    });
    expect(merged(daemonSet, current, patch)).toEqual(
      inPod({
        volumes: [
          { name: 'v', emptyDir: {} },
          { name: 'w', emptyDir: {} },
        ],
      }),
    );
  });
});

describe('lists', () => {
  test.each<[string, object, object, object]>([
    [
      'that are atomic are replaced',
      { command: ['a', 'b'], args: ['c'] },
      { command: ['x'] },
      { command: ['x'], args: ['c'] },
    ],
    [
      'merge by their key, deeply',
      {
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
      },
      { env: [{ name: 'B', value: '3' }] },
      {
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '3' },
        ],
      },
    ],
    [
      'merge by a number as well',
      { ports: [{ containerPort: 80, name: 'http' }] },
      { ports: [{ containerPort: 80, hostPort: 8080 }] },
      { ports: [{ containerPort: 80, name: 'http', hostPort: 8080 }] },
    ],
    [
      'begin with what is not there',
      {},
      { env: [{ name: 'A', value: '1' }] },
      { env: [{ name: 'A', value: '1' }] },
    ],
    [
      'lose an item by $patch: delete',
      { env: [{ name: 'A' }] },
      { env: [{ name: 'A', $patch: 'delete' }] },
      { env: [] },
    ],
    [
      'do not mind that it is gone already',
      { env: [{ name: 'A' }] },
      { env: [{ name: 'B', $patch: 'delete' }] },
      { env: [{ name: 'A' }] },
    ],
    [
      'are replaced by $patch: replace among the items',
      { env: [{ name: 'A' }, { name: 'B' }] },
      { env: [{ $patch: 'replace' }, { name: 'C', value: '3' }] },
      { env: [{ name: 'C', value: '3' }] },
    ],
    [
      'are emptied by $patch: replace alone',
      { env: [{ name: 'A' }] },
      { env: [{ $patch: 'replace' }] },
      { env: [] },
    ],
    ['go by null', { env: [{ name: 'A' }], image: 'x' }, { env: null }, { image: 'x' }],
    ['of a patch that names nothing stay', { env: [{ name: 'A' }] }, { env: [] }, { env: [{ name: 'A' }] }],
    [
      'lose a field of an item by null',
      { env: [{ name: 'A', value: '1' }] },
      { env: [{ name: 'A', value: null, valueFrom: { fieldRef: { fieldPath: 'a' } } }] },
      { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'a' } } }] },
    ],
    ['keep no null of a new item', {}, { env: [{ name: 'A', value: null }] }, { env: [{ name: 'A' }] }],
  ])('%s', (_sentence, current, patch, result) => {
    expect(merged(daemonSet, inMain(current), inMain(patch))).toEqual(inMain(result));
  });

  test('of plain values merge without doubling, and lose by $deleteFromPrimitiveList', () => {
    const current = { metadata: { finalizers: ['a', 'b'] } };
    const finalizers = (patch: object) => merged(daemonSet, current, { metadata: patch });
    expect(finalizers({ finalizers: ['b', 'c'] })).toEqual({
      metadata: { finalizers: ['b', 'c', 'a'].sort() },
    });
    expect(finalizers({ '$deleteFromPrimitiveList/finalizers': ['a', 'zzz'] })).toEqual({
      metadata: { finalizers: ['b'] },
    });
    expect(merged(daemonSet, {}, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } })).toEqual({
      metadata: {},
    });
  });
});

describe('the order of a merged list: $setElementOrder, then the patch, then what is there', () => {
  const names = (text: string) => text.split('').map((name) => ({ name }));
  test.each([
    ['what is listed comes in the order given', 'abc', 'cab', undefined, 'cab'],
    ['also when the patch holds the items in another', 'abc', 'cab', 'abc', 'cab'],
    ['what is only there keeps its place before', 'xab', 'ba', undefined, 'xba'],
    ['and after', 'abx', 'ba', undefined, 'bax'],
    ['new items go where they are listed', 'ac', 'abc', 'b', 'abc'],
    ['an item listed that is nowhere means nothing', 'ab', 'bza', undefined, 'ba'],
    ['without a listing, the patch goes first', 'ab', undefined, 'c', 'cab'],
    ['and orders its own items', 'abc', undefined, 'ca', 'bca'],
    ['but a single one keeps its place', 'abc', undefined, 'b', 'abc'],
  ])('%s: %s', (_sentence, there, listed, patched, result) => {
    const patch = inPod({
      ...(listed === undefined ? {} : { '$setElementOrder/containers': names(listed) }),
      ...(patched === undefined ? {} : { containers: names(patched) }),
    });
    expect(podOf(merged(daemonSet, inPod({ containers: names(there) }), patch))).toEqual({
      containers: names(result),
    });
  });
  test('holds for plain values', () => {
    const patch = { metadata: { '$setElementOrder/finalizers': ['c', 'a'], finalizers: ['c'] } };
    expect(merged(daemonSet, { metadata: { finalizers: ['a', 'b'] } }, patch)).toEqual({
      metadata: { finalizers: ['c', 'a', 'b'] },
    });
  });
});

describe('maps', () => {
  test.each<[string, unknown, unknown, unknown]>([
    [
      'merge key by key',
      { labels: { a: '1', b: '2' } },
      { labels: { b: '3', c: '4' } },
      { labels: { a: '1', b: '3', c: '4' } },
    ],
    ['lose a key by null', { labels: { a: '1', b: '2' } }, { labels: { a: null } }, { labels: { b: '2' } }],
    [
      'are replaced by $patch: replace',
      { labels: { a: '1' } },
      { labels: { $patch: 'replace', b: '2' } },
      { labels: { b: '2' } },
    ],
    [
      'are removed by $patch: delete',
      { labels: { a: '1' }, name: 'x' },
      { labels: { $patch: 'delete' } },
      { name: 'x' },
    ],
    [
      'merge by $patch: merge',
      { labels: { a: '1' } },
      { labels: { $patch: 'merge', b: '2' } },
      { labels: { a: '1', b: '2' } },
    ],
    [
      'keep what $retainKeys names',
      { labels: { a: '1', b: '2' } },
      { labels: { $retainKeys: ['b', 'c'], c: '3' } },
      { labels: { b: '2', c: '3' } },
    ],
    ['replace a value of another kind', { labels: 'text' }, { labels: { a: '1' } }, { labels: { a: '1' } }],
    ['hold no null of a map that was not there', {}, { labels: { a: null, b: '2' } }, { labels: { b: '2' } }],
  ])('%s', (_sentence, current, patch, result) => {
    expect(merged(daemonSet, { metadata: current }, { metadata: patch })).toEqual({ metadata: result });
  });
  test('a whole object may be replaced', () => {
    expect(merged(daemonSet, { a: 1 }, { $patch: 'replace', metadata: { name: 'x' } })).toEqual({
      metadata: { name: 'x' },
    });
  });
  test('a field that no schema knows merges as a map, and its lists are replaced', () => {
    expect(merged(daemonSet, { x: { a: 1, list: [1] } }, { x: { list: [2] } })).toEqual({
      x: { a: 1, list: [2] },
    });
  });
  test('a key called __proto__ is data', () => {
    const result = merged(
      daemonSet,
      {},
      JSON.parse('{"metadata":{"labels":{"__proto__":"x"}},"__proto__":{"y":1}}'),
    );
    expect(JSON.stringify(result)).toBe('{"metadata":{"labels":{"__proto__":"x"}},"__proto__":{"y":1}}');
    expect(({} as { y?: number }).y).toBeUndefined();
  });
});

describe('is malformed', () => {
  test.each<[string, unknown, string]>([
    ['no object', [], 'a strategic merge patch must be an object'],
    ['null', null, 'a strategic merge patch must be an object'],
    [
      'an item without its key',
      inPod({ containers: [{ image: 'a' }] }),
      'map: {"image":"a"} does not contain declared merge key: name',
    ],
    [
      'a deletion without its key',
      inPod({ containers: [{ $patch: 'delete' }] }),
      'map: {"$patch":"delete"} does not contain declared merge key: name',
    ],
    [
      'an item that is no object',
      inPod({ containers: ['a'] }),
      'list items of a strategic merge patch must be objects',
    ],
    ['an unknown directive', { metadata: { $patch: 'obliterate' } }, 'unknown $patch type: "obliterate"'],
    [
      'an order that is no list',
      inPod({ '$setElementOrder/containers': 'a', containers: [{ name: 'a' }] }),
      '$setElementOrder must be a list',
    ],
    ['$retainKeys that is no list', { metadata: { $retainKeys: 'a' } }, '$retainKeys must be a list'],
    [
      'a deletion of plain values that is no list',
      { metadata: { '$deleteFromPrimitiveList/finalizers': 'a' } },
      '$deleteFromPrimitiveList/finalizers must be a list',
    ],
  ])('%s', (_what, patch, problem) => {
    expect(applyStrategicMerge(daemonSet, MINIMAL, patch)).toEqual({ problem });
  });
});
