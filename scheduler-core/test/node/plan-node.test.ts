// Proves that one plan covers the whole node: each DaemonSet by its own placement, pods of sets that are gone, and the
// earliest moment to look again.
import { actionKey } from '@fleetset/scheduler-core/node/node-action';
import { type NodeInput, planNode } from '@fleetset/scheduler-core/node/plan-node';
import type { NodeDaemonSet, PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import { expect, test } from 'vitest';

const set = (uid: string, more: Partial<NodeDaemonSet> = {}): NodeDaemonSet => ({
  uid,
  namespace: 'default',
  name: uid,
  rules: {},
  granted: { revision: 'r', templateHash: 'h' },
  ...more,
});
const pod = (daemonSetUid: string, uid: string): { readonly record: PodRecord } => ({
  record: {
    uid,
    name: uid,
    namespace: 'default',
    daemonSetUid,
    daemonSetName: daemonSetUid,
    revision: 'r',
    templateHash: 'h',
    createdAt: 'T',
  },
});
const TEMPLATE = { spec: { hostNetwork: true, containers: [{ name: 'main', image: 'a' }] } };
const nodeWith = (more: Partial<NodeInput>): NodeInput => ({
  now: 100_000,
  node: { name: 'n', labels: {}, taints: [] },
  daemonSets: [],
  tombstones: new Map(),
  pods: [],
  containers: [],
  busy: new Map(),
  memory: new Map(),
  unhealthy: new Map(),
  ...more,
});

test('nothing told, nothing there, nothing to do', () => {
  expect(planNode(nodeWith({}))).toEqual({
    actions: [],
    placements: [],
    pods: [],
    blocked: new Map(),
    startable: new Set(),
  });
});

test('each DaemonSet by its own rules, with the reason', () => {
  const plan = planNode(
    nodeWith({ daemonSets: [set('here'), set('there', { rules: { nodeName: 'other' } })] }),
  );
  expect(plan.actions).toEqual([{ kind: 'bear', daemonSetUid: 'here', reason: 'the node has no pod' }]);
  expect(
    plan.placements.map(({ daemonSet, placement }) => [daemonSet.uid, placement.decision, placement.reasons]),
  ).toEqual([
    ['here', 'Run', [{ code: 'Eligible', message: 'no taint forbids it' }]],
    ['there', 'Leave', [{ code: 'NodeName', message: 'the template names node other, this is n' }]],
  ]);
});

test('one DaemonSet does not wait for the pods of another', () => {
  const running = { id: 'c1', podUid: 'a', name: 'main', attempt: 0, state: 'running' } as const;
  const created = { id: 'c2', podUid: 'b', name: 'main', attempt: 0, state: 'created' } as const;
  const pods = [pod('one', 'a'), pod('two', 'b')].map((known) => ({ ...known, template: TEMPLATE }));
  const plan = planNode(
    nodeWith({ daemonSets: [set('one'), set('two')], pods, containers: [running, created] }),
  );
  expect(plan.actions).toMatchObject([{ kind: 'start', id: 'c2' }]);
});

test('rule 64: pods of a set that is told of no more go, also when another has taken its name', () => {
  const plan = planNode(nodeWith({ daemonSets: [set('new')], pods: [pod('old', 'a')] }));
  expect(plan.pods).toEqual([
    { record: pod('old', 'a').record, bucket: 'stop', reason: 'its DaemonSet was deleted' },
  ]);
  expect(plan.actions.map(({ kind }) => kind)).toEqual(['bear', 'forget']);
});

test('it says when the first thing that waits may go on', () => {
  const memoryOf = (uid: string, waitMs: number) =>
    [`${uid}/main`, { restart: { waitMs, updatedAt: 0 } }] as const;
  const ended = (podUid: string) =>
    ({ id: podUid, podUid, name: 'main', attempt: 1, state: 'exited', endedAt: 99_000 }) as const;
  const pods = [pod('one', 'a'), pod('two', 'b')].map((known) => ({ ...known, template: TEMPLATE }));
  const plan = planNode(
    nodeWith({
      daemonSets: [set('one'), set('two')],
      pods,
      containers: [ended('a'), ended('b')],
      memory: new Map([memoryOf('a', 40_000), memoryOf('b', 10_000)]),
    }),
  );
  expect(plan).toMatchObject({ actions: [], nextAt: 109_000 });
});

test('actions on one container exclude each other, those on different ones do not', () => {
  const on = { podUid: 'a', container: 'main', reason: 'x' };
  const keys = [
    actionKey({ ...on, kind: 'create', attempt: 0 }),
    actionKey({ ...on, kind: 'start', id: 'c1' }),
    actionKey({ ...on, kind: 'stop', id: 'c1', graceSeconds: 1 }),
  ];
  expect(new Set(keys)).toEqual(new Set(['a/main']));
  expect(actionKey({ ...on, kind: 'remove', id: 'c1' })).toBe('c1');
  expect(actionKey({ kind: 'bear', daemonSetUid: 'd', reason: 'x' })).toBe('d');
  expect(actionKey({ kind: 'forget', podUid: 'a', reason: 'x' })).toBe('a');
});
