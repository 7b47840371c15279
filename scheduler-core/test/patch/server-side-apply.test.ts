// Server-side apply (kubectl-contract b.8), case by case: who owns what, what goes, what conflicts, and how it is said.
import {
  type Manager,
  type Ownership,
  readManagedFields,
  trackUpdate,
  writeManagedFields,
} from '@fleetset/scheduler-core/patch/managed-fields';
import { applyConfiguration, describeConflicts } from '@fleetset/scheduler-core/patch/server-side-apply';
import { daemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import { expect, test } from 'vitest';

type Json = { readonly [field: string]: unknown };

const applier = (name: string): Manager => ({
  name,
  operation: 'Apply',
  apiVersion: 'apps/v1',
  subresource: '',
});
const updater = (name: string): Manager => ({
  name,
  operation: 'Update',
  apiVersion: 'apps/v1',
  subresource: '',
});
const now = '2026-01-01T00:00:00Z';

interface State {
  readonly value: unknown;
  readonly owners: readonly Ownership[];
}
const NOTHING: State = { value: {}, owners: [] };

function apply(state: State, name: string, config: Json, force = false): State {
  const applied = applyConfiguration({
    schema: daemonSet,
    live: state.value,
    config,
    owners: state.owners,
    manager: applier(name),
    force,
    now,
  });
  if ('value' in applied) return applied;
  throw new Error('problem' in applied ? applied.problem : describeConflicts(applied.conflicts).message);
}

const update = (state: State, name: string, value: Json): State => ({
  value,
  owners: trackUpdate(daemonSet, state.value, value, state.owners, updater(name), now),
});

const fieldsOf = ({ owners }: State, name: string): unknown =>
  writeManagedFields(owners).find(({ manager }) => manager === name)?.fieldsV1;

const pod = (spec: Json): Json => ({ spec: { template: { spec } } });
const container = (fields: Json): Json => pod({ containers: [{ name: 'main', ...fields }] });

test('what was applied is written as Kubernetes writes it: keys of lists, items, sets, and what is empty', () => {
  const state = apply(NOTHING, 'a', {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'web', namespace: 'default', labels: { app: 'web' }, finalizers: ['example.com/x'] },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        spec: {
          containers: [{ name: 'main', image: 'i', ports: [{ containerPort: 80 }], securityContext: {} }],
          tolerations: [{ operator: 'Exists' }],
        },
      },
    },
  });
  expect(writeManagedFields(state.owners)).toEqual([
    {
      manager: 'a',
      operation: 'Apply',
      apiVersion: 'apps/v1',
      time: now,
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:metadata': {
          'f:finalizers': { 'v:"example.com/x"': {} },
          'f:labels': { 'f:app': {} },
        },
        'f:spec': {
          'f:selector': {},
          'f:template': {
            'f:spec': {
              'f:containers': {
                'k:{"name":"main"}': {
                  '.': {},
                  'f:image': {},
                  'f:name': {},
                  'f:ports': {
                    'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} },
                  },
                  'f:securityContext': {},
                },
              },
              'f:tolerations': {},
            },
          },
        },
      },
    },
  ]);
});

test('what is read back is what was written', () => {
  const { owners } = apply(NOTHING, 'a', container({ image: 'i', env: [{ name: 'A', value: '1' }] }));
  const entries = writeManagedFields(owners);
  expect(writeManagedFields(readManagedFields(entries))).toEqual(entries);
});

test('another value for what somebody else applied is a conflict, told in words that clients take apart', () => {
  const state = apply(NOTHING, 'a', container({ image: 'i' }));
  expect(() => apply(state, 'b', container({ image: 'j' }))).toThrow(
    'Apply failed with 1 conflict: conflict with "a": .spec.template.spec.containers[name="main"].image',
  );
});

test('several conflicts are told manager by manager', () => {
  const one = apply(NOTHING, 'a', container({ image: 'i', command: ['x'] }));
  const two = update(one, 'kubectl-edit', { ...(one.value as Json), metadata: { labels: { x: 'y' } } });
  expect(() =>
    apply(two, 'b', { metadata: { labels: { x: 'z' } }, ...container({ image: 'j', command: ['y'] }) }),
  ).toThrow(
    [
      'Apply failed with 3 conflicts: conflicts with "a":',
      '- .spec.template.spec.containers[name="main"].command',
      '- .spec.template.spec.containers[name="main"].image',
      'conflicts with "kubectl-edit" using apps/v1:',
      '- .metadata.labels.x',
    ].join('\n'),
  );
});

test('the same value is shared, and stays as long as one of them applies it', () => {
  const one = apply(NOTHING, 'a', container({ image: 'i' }));
  const both = apply(one, 'b', container({ image: 'i' }));
  const left = apply(both, 'a', {});
  expect(left.value).toEqual(container({ image: 'i' }));
  expect(fieldsOf(left, 'a')).toBeUndefined();
  expect(apply(left, 'b', {}).value).toEqual({});
});

test('with force it is taken over', () => {
  const one = apply(NOTHING, 'a', container({ image: 'i', command: ['x'] }));
  const two = apply(one, 'b', container({ image: 'j' }), true);
  expect(two.value).toEqual(container({ image: 'j', command: ['x'] }));
  expect(JSON.stringify(fieldsOf(two, 'a'))).not.toContain('f:image');
  expect(JSON.stringify(fieldsOf(two, 'b'))).toContain('f:image');
});

test('an update takes over what it changes, and the next apply of the old value conflicts', () => {
  const one = apply(NOTHING, 'a', container({ image: 'i' }));
  const two = update(one, 'kubectl-set', container({ image: 'j' }));
  expect(fieldsOf(two, 'kubectl-set')).toEqual({
    'f:spec': {
      'f:template': { 'f:spec': { 'f:containers': { 'k:{"name":"main"}': { 'f:image': {} } } } },
    },
  });
  expect(() => apply(two, 'a', container({ image: 'i' }))).toThrow(
    'conflict with "kubectl-set" using apps/v1',
  );
});

test('what an update removes nobody owns any more', () => {
  const one = apply(NOTHING, 'a', container({ image: 'i', command: ['x'] }));
  const two = update(one, 'kubectl-edit', container({ image: 'i' }));
  expect(JSON.stringify(fieldsOf(two, 'a'))).not.toContain('f:command');
  expect(fieldsOf(two, 'kubectl-edit')).toBeUndefined();
});

test('a list item that is applied no more goes whole, with what was filled in or changed by updates', () => {
  const one = apply(NOTHING, 'a', pod({ containers: [{ name: 'main' }, { name: 'side', image: 's' }] }));
  const two = update(
    one,
    'kubectl-set',
    pod({ containers: [{ name: 'main' }, { name: 'side', image: 't', tty: true }] }),
  );
  expect(apply(two, 'a', pod({ containers: [{ name: 'main' }] })).value).toEqual(
    pod({ containers: [{ name: 'main' }] }),
  );
});

test('items that only others set stay, in their places', () => {
  const one = apply(NOTHING, 'a', container({ env: [{ name: 'B', value: '1' }] }));
  const two = apply(one, 'b', container({ env: [{ name: 'X', value: 'x' }] }));
  const three = apply(
    two,
    'a',
    container({
      env: [
        { name: 'A', value: '0' },
        { name: 'B', value: '1' },
      ],
    }),
  );
  expect(three.value).toEqual(
    container({
      env: [
        { name: 'A', value: '0' },
        { name: 'B', value: '1' },
        { name: 'X', value: 'x' },
      ],
    }),
  );
});

test('an atomic list or map has one owner and is set whole', () => {
  const one = apply(NOTHING, 'a', pod({ nodeSelector: { disk: 'ssd' }, tolerations: [{ key: 'a' }] }));
  expect(() => apply(one, 'b', pod({ nodeSelector: { zone: 'x' } }))).toThrow(
    'conflict with "a": .spec.template.spec.nodeSelector',
  );
  expect(apply(one, 'b', pod({ nodeSelector: { zone: 'x' } }), true).value).toEqual(
    pod({ nodeSelector: { zone: 'x' }, tolerations: [{ key: 'a' }] }),
  );
});

test('a port without a protocol is the one with the protocol that is the default', () => {
  const live = container({ ports: [{ containerPort: 80, protocol: 'TCP', hostPort: 80 }] });
  const state = apply(
    update(NOTHING, 'u', live),
    'a',
    container({ ports: [{ containerPort: 80, name: 'web' }] }),
  );
  expect(state.value).toEqual(
    container({ ports: [{ containerPort: 80, protocol: 'TCP', hostPort: 80, name: 'web' }] }),
  );
});

test('a value that only lacks its defaults is no other value', () => {
  const reference = (fields: Json) =>
    container({ env: [{ name: 'N', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName', ...fields } } }] });
  const state = update(NOTHING, 'u', reference({ apiVersion: 'v1' }));
  expect(fieldsOf(apply(state, 'a', reference({})), 'u')).toEqual(fieldsOf(state, 'u'));
});

test('an item that comes twice in a configuration is refused, naming its list', () => {
  expect(() => apply(NOTHING, 'a', container({ env: [{ name: 'A' }, { name: 'A', value: '1' }] }))).toThrow(
    '.spec.template.spec.containers[name="main"].env: duplicate entries for key [name="A"]',
  );
});

test('an item that is there twice already counts as one, and applying it makes it one', () => {
  const live = container({
    env: [
      { name: 'A', value: '1' },
      { name: 'A', value: '2' },
    ],
  });
  const state = apply(update(NOTHING, 'u', live), 'a', container({ env: [{ name: 'A', value: '3' }] }), true);
  expect(state.value).toEqual(container({ env: [{ name: 'A', value: '3' }] }));
});

test('nobody owns the status, or who an object is', () => {
  const state = update(NOTHING, 'u', {
    metadata: { name: 'x', uid: 'u', resourceVersion: '1', generation: 1, labels: { a: 'b' } },
    status: { numberReady: 3 },
  });
  expect(fieldsOf(state, 'u')).toEqual({ 'f:metadata': { 'f:labels': { 'f:a': {} } } });
});

test('of many updaters the oldest become one', () => {
  let state = NOTHING;
  for (let number = 0; number < 30; number++)
    state = update(state, `m${String(number).padStart(2, '0')}`, {
      metadata: {
        labels: {
          ...(state.value as { metadata?: { labels?: Json } }).metadata?.labels,
          [`l${number}`]: 'x',
        },
      },
    });
  const names = state.owners.map(({ manager }) => manager.name).sort();
  expect(names).toEqual(['ancient-changes', ...Array.from({ length: 9 }, (_, index) => `m${21 + index}`)]);
  const labels = state.owners.flatMap((owner) => [
    ...(owner.fields.children.get('f:metadata')?.children.get('f:labels')?.children.keys() ?? []),
  ]);
  expect(labels).toHaveLength(30);
});
