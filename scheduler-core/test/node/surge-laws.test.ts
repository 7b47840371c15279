// Proves a node's planning under a surge against an engine where everything fails, ends late, is killed and forgotten,
// while the surge is switched on and off: what serves is stopped only where something else serves, and never three run.
import { type NodeInput, planNode } from '@fleetset/scheduler-core/node/plan-node';
import type { PlannedPod } from '@fleetset/scheduler-core/node/pod-record';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds, isCaught } from '../property.ts';
import { happen, type NodeEvent, NodeModel, type Planner, someSurgeEvents } from './node-model.ts';

function played(plan: Planner, events: readonly NodeEvent[]): NodeModel {
  const model = new NodeModel(plan);
  model.setSurge(true);
  for (const event of events) happen(model, event);
  return model;
}

const violates = (kind: RegExp, plan: Planner) =>
  fc.property(someSurgeEvents, (events) => {
    expect(played(plan, events).violations.filter((text) => kind.test(text))).toEqual([]);
  });

const inARow = (...kinds: NodeEvent[0][]) => kinds.map((kind): NodeEvent => [kind, 0, 0]);

/** r0 runs and serves; r3 is granted, and runs beside it. */
const beside: readonly NodeEvent[] = [
  ...inARow('go on', 'go on', 'go on', 'go on', 'serve'),
  ['wait', 2, 0],
  ['grant', 0, 3],
  ...inARow('go on', 'go on', 'go on', 'go on'),
];

const changed =
  (change: (pod: PlannedPod, input: NodeInput) => PlannedPod): Planner =>
  (input) =>
    planNode({ ...input, pods: input.pods.map((pod) => change(pod, input)) });
const takesUnknownForUnready = changed((pod) => (pod.health ? pod : { ...pod, health: { ready: false } }));
const takesRunningForAvailable = changed((pod, { containers, now }) =>
  containers.some(({ podUid, state }) => podUid === pod.record.uid && state === 'running')
    ? { ...pod, health: { ready: true, availableAt: now } }
    : pod,
);
const forgetsTheSurge: Planner = (input) =>
  planNode({ ...input, daemonSets: input.daemonSets.map(({ surge: _on, ...rest }) => rest) });
const startsAtOnce: Planner = (input) => {
  const plan = planNode(input);
  const prepared = new Set(
    plan.pods.filter(({ bucket }) => bucket === 'prepare').map(({ record }) => record.uid),
  );
  const starts = input.containers
    .filter(({ podUid, state }) => prepared.has(podUid) && state === 'created')
    .map(({ id, podUid, name }) => ({
      kind: 'start' as const,
      id,
      podUid,
      container: name,
      reason: 'hasty',
    }));
  return { ...plan, actions: [...plan.actions, ...starts] };
};

describe('(e) a pod that is available goes only where another is', () => {
  const SERVED = /which served/;
  const restarted: NodeEvent[] = [...beside, ['restart agent', 1, 0], ...inARow('plan', 'plan')];
  test('whatever happens', () => {
    holds(violates(SERVED, planNode), 1000, [[[...beside]], [restarted]]);
  });
  test.each([
    ['that takes what it does not know for unready', takesUnknownForUnready],
    ['that takes what runs for available', takesRunningForAvailable],
    ['that changes over as without a surge', forgetsTheSurge],
  ])('a mutant %s is caught', (_what, mutant) => {
    isCaught(violates(SERVED, mutant), 1000, [[[...beside]], [restarted]]);
  });
});

describe('(a) never three pods run, and without the surge nothing is started beside another', () => {
  test('whatever happens', () => {
    holds(violates(/ and /, planNode), 700);
  });
  test('a mutant that starts what has to wait is caught', () => {
    isCaught(violates(/ and /, startsAtOnce), 1500);
  });
});

test('(b) every pod is in exactly one bucket', () => {
  holds(violates(/^buckets/, planNode), 300);
});

describe('(c) when the faults stop', () => {
  const settles = (plan: Planner) =>
    fc.property(someSurgeEvents, (events) => {
      const model = played(plan, events);
      const last = model.settle();
      expect(last?.actions, 'it comes to rest').toEqual([]);
      const pods = [...model.records.values()];
      if (!model.setIsThere || model.decision === 'Leave') expect(pods).toEqual([]);
      else if (model.decision === 'Run' && model.granted)
        expect(pods.map(({ revision }) => revision)).toEqual([model.granted]);
      else expect(pods.length).toBeLessThanOrEqual(1);
      expect(new Set(model.running().map(({ record }) => record.uid))).toEqual(
        new Set(pods.map(({ uid }) => uid)),
      );
    });
  test('one pod is left, of the revision that was granted', () => {
    holds(settles(planNode), 400);
  });
  test('a mutant that never learns that the new one is available is caught', () => {
    isCaught(settles(changed(({ health: _unknown, ...pod }) => pod)), 400);
  });
});
