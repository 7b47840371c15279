// Proves that untrusted JSON is read strictly: every wrong type and unknown field is named with its path, nothing
// throws, and no key of a stranger's becomes more than data.
import { lease } from '@fleetset/scheduler-core/schema/cluster';
import { daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { decode } from '@fleetset/scheduler-core/schema/decode';
import { node } from '@fleetset/scheduler-core/schema/node';
import { configMap } from '@fleetset/scheduler-core/schema/plain';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Edit, edited, MINIMAL } from '../manifest.ts';
import { holds } from '../property.ts';
import { arbitraryOf } from './arbitrary.ts';

const read = (...edits: Edit[]) => decode(daemonSet, edited(MINIMAL, edits));

describe('unknown fields are named and left out', () => {
  test.each<[Edit, string]>([
    [['foo', 1], 'foo'],
    [['spec.foo', 1], 'spec.foo'],
    [['main.bar', null], 'spec.template.spec.containers[0].bar'],
    [['main.env', [{ name: 'A' }, { name: 'B', valu: 'x' }]], 'spec.template.spec.containers[0].env[1].valu'],
    [['metadata.Name', 'x'], 'metadata.Name'],
    [['spec.constructor', {}], 'spec.constructor'],
  ])('%j', (edit, path) => {
    const { unknown, errors, value } = read(edit);
    expect(unknown).toEqual([path]);
    expect(errors).toEqual([]);
    expect(JSON.stringify(value)).not.toContain(path.split('.').at(-1) ?? path);
  });
  test('all at once, in the order of the text', () => {
    expect(read(['a', 1], ['spec.b', 2], ['pod.c', 3]).unknown).toEqual([
      'spec.template.spec.c',
      'spec.b',
      'a',
    ]);
  });
});

describe('wrong types are errors', () => {
  test.each<[Edit, string]>([
    [['spec', []], 'spec: expected an object, got a list'],
    [['metadata.labels', 'a=b'], 'metadata.labels: expected an object, got a string'],
    [['metadata.labels', { a: 1 }], 'metadata.labels.a: expected a string, got a number'],
    [['metadata.name', 5], 'metadata.name: expected a string, got a number'],
    [['pod.containers', {}], 'spec.template.spec.containers: expected a list, got an object'],
    [['pod.containers', [5]], 'spec.template.spec.containers[0]: expected an object, got a number'],
    [['pod.hostNetwork', 'true'], 'spec.template.spec.hostNetwork: expected a boolean, got a string'],
    [['main.args', ['a', 1]], 'spec.template.spec.containers[0].args[1]: expected a string, got a number'],
    [['main.args', ['a', null]], 'spec.template.spec.containers[0].args[1]: expected a string, got null'],
    [['spec.minReadySeconds', '5'], 'spec.minReadySeconds: expected an integer, got a string'],
    [['spec.minReadySeconds', 1.5], 'spec.minReadySeconds: expected an integer, got 1.5'],
    [['spec.minReadySeconds', 2 ** 31], 'spec.minReadySeconds: 2147483648 does not fit into 32 bits'],
    [['spec.minReadySeconds', true], 'spec.minReadySeconds: expected an integer, got a boolean'],
    [
      ['spec.updateStrategy.rollingUpdate.maxUnavailable', 0.5],
      'spec.updateStrategy.rollingUpdate.maxUnavailable: expected an integer, got 0.5',
    ],
    [
      ['spec.updateStrategy.rollingUpdate.maxUnavailable', true],
      'spec.updateStrategy.rollingUpdate.maxUnavailable: expected an integer or a string, got a boolean',
    ],
    [
      ['main.resources', { limits: { cpu: true } }],
      'spec.template.spec.containers[0].resources.limits.cpu: expected a quantity, got a boolean',
    ],
  ])('%j', (edit, message) => {
    expect(read(edit).errors).toEqual([message]);
  });
  test('all at once', () => {
    expect(read(['spec.minReadySeconds', 'x'], ['pod.hostPID', 1], ['main.image', []]).errors).toHaveLength(
      3,
    );
  });
  test.each([
    [null, 'null'],
    [[], 'a list'],
    ['x', 'a string'],
    [7, 'a number'],
  ])('%j is no object', (json, what) => {
    expect(decode(daemonSet, json).errors).toEqual([`.: expected an object, got ${what}`]);
  });
});

describe('quantities', () => {
  const limit = (cpu: unknown) => read(['main.resources', { limits: { cpu } }]);
  const limitOf = ({ value }: ReturnType<typeof decode>) =>
    (value as { spec: { template: { spec: { containers: { resources: { limits: unknown } }[] } } } }).spec
      .template.spec.containers[0]?.resources.limits;
  test.each([
    [1, '1'],
    [0.5, '500m'],
    ['1000m', '1'],
    [' 2 ', '2'],
    [1e21, '1000e18'],
  ])('%j is kept as %s', (written, canonical) => {
    expect(limitOf(limit(written))).toEqual({ cpu: canonical });
  });
  test.each(['many', '1 Ki', '', '1toString'])('%j is an error with its path', (written) => {
    expect(limit(written).errors).toEqual([
      expect.stringMatching(
        /^spec\.template\.spec\.containers\[0\]\.resources\.limits\.cpu: quantities must match/,
      ),
    ]);
  });
});

describe('times', () => {
  const at = (renewTime: unknown) => decode(lease, { metadata: { name: 'l' }, spec: { renewTime } });
  test.each(['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000001Z', '2024-02-29T23:59:59+14:00'])(
    '%j is one',
    (text) => {
      expect(at(text).errors).toEqual([]);
      expect(at(text).value).toMatchObject({ spec: { renewTime: text } });
    },
  );
  // A client in Go that lists what holds such a text reads nothing of the whole list.
  test.each([
    '',
    'now',
    '2026-01-02',
    '2026-01-02 03:04:05Z',
    '2026-01-02T03:04:05',
    '2026-13-02T03:04:05Z',
    '2026-02-30T03:04:05Z',
    '2026-01-02T24:00:00Z',
    '2026-01-02T03:04:60Z',
  ])('%j is none', (text) => {
    expect(at(text).errors).toEqual([
      `spec.renewTime: expected a time such as 2006-01-02T15:04:05Z, got ${JSON.stringify(text)}`,
    ]);
  });
});

describe('what is there but empty', () => {
  test('is absent where nothing has to be there', () => {
    const { value, errors } = read(
      ['metadata.labels', {}],
      ['pod.tolerations', []],
      ['pod.nodeSelector', {}],
      ['pod.hostNetwork', false],
      ['spec.minReadySeconds', 0],
      ['pod.serviceAccountName', ''],
      ['main.env', []],
    );
    expect(errors).toEqual([]);
    expect(value).toEqual(edited(MINIMAL, [['metadata.labels', undefined]]));
  });
  test('is absent in lists as well', () => {
    const probe = { tcpSocket: { port: 1 } };
    const port = { containerPort: 1 };
    const { value } = read(
      ['main.ports', [{ ...port, hostPort: 0, name: '' }]],
      ['main.livenessProbe', { ...probe, initialDelaySeconds: 0 }],
    );
    expect(value).toEqual(
      edited(MINIMAL, [
        ['main.ports', [port]],
        ['main.livenessProbe', probe],
      ]),
    );
  });
  test.each<Edit>([
    ['spec.selector', {}],
    ['pod.containers', []],
    ['pod.automountServiceAccountToken', false],
    ['pod.volumes', [{ name: 'v', emptyDir: {} }]],
    ['pod.securityContext', {}],
    ['main.args', ['']],
    ['pod.terminationGracePeriodSeconds', 0],
    ['spec.template.metadata.labels', { app: '' }],
  ])('stays where it means something: %j', (...edit) => {
    expect(read(edit).value).toEqual(edited(MINIMAL, [edit]));
  });
});

describe('null', () => {
  test('is an absent field, as old encoders write it', () => {
    const { value, errors } = read(
      ['metadata.creationTimestamp', null],
      ['spec.template.metadata.creationTimestamp', null],
      ['main.resources', null],
      ['status', null],
    );
    expect(errors).toEqual([]);
    expect(value).toEqual(MINIMAL);
  });
  test('in a list of objects is an object without fields', () => {
    const { value } = decode(daemonSet, edited(MINIMAL, [['pod.tolerations', [null]]]));
    expect(value).toMatchObject({ spec: { template: { spec: { tolerations: [{}] } } } });
  });
  test('as a value of a map of texts is the empty text', () => {
    expect(decode(configMap, { data: { a: null } }).value).toEqual({ data: { a: '' } });
  });
});

describe('a required field that is absent is there with its zero value, as in Go', () => {
  test.each<[Edit, unknown]>([
    [['main.env', [{ value: 'x' }]], [{ name: '', value: 'x' }]],
    [['main.ports', [{ name: 'http' }]], [{ name: 'http', containerPort: 0 }]],
    [['main.livenessProbe', { httpGet: {} }], { httpGet: { port: 0 } }],
    [['pod.volumes', [{ hostPath: {} }]], [{ name: '', hostPath: { path: '' } }]],
    [
      ['pod.affinity', { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: {} } }],
      { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
    ],
  ])('%j', ([path, value], whole) => {
    expect(read([path, value]).value).toEqual(read([path, whole]).value);
  });
  test('but an absent object stays absent: rule 71 minds the selector', () => {
    expect(read(['spec.selector', undefined]).value).not.toHaveProperty('spec.selector');
  });
});

describe('keys that mean something to JavaScript', () => {
  const HOSTILE = '{"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}}}';
  test('are data in a map', () => {
    const { value, errors } = decode(configMap, JSON.parse('{"data":{"__proto__":"x","toString":"y"}}'));
    const data = (value as { data: { [key: string]: string } }).data;
    expect(errors).toEqual([]);
    expect(Object.entries(data)).toEqual([
      ['__proto__', 'x'],
      ['toString', 'y'],
    ]);
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
  });
  test('are unknown fields in an object', () => {
    const { unknown, value } = decode(daemonSet, JSON.parse(HOSTILE));
    expect(unknown).toEqual(['__proto__', 'constructor']);
    expect(value).toEqual({});
    expect(({} as { polluted?: string }).polluted).toBeUndefined();
  });
});

describe('for any JSON', () => {
  test('reading never throws, and what it answers reads again without an error', () => {
    const anything = fc.oneof(fc.jsonValue(), arbitraryOf(daemonSet), arbitraryOf(node));
    holds(
      fc.property(fc.constantFrom(daemonSet, node, configMap), anything, (schema, json) => {
        const first = decode(schema, json);
        if (first.value === undefined) return;
        expect(decode(schema, first.value)).toEqual({ value: first.value, unknown: [], errors: [] });
      }),
      400,
    );
  });
  test('what fits the schema is read whole', () => {
    holds(
      fc.property(arbitraryOf(daemonSet), (json) => {
        expect(decode(daemonSet, json)).toMatchObject({ unknown: [], errors: [] });
      }),
      300,
    );
  });
});
