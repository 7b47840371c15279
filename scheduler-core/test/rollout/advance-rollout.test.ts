// Proves what a look at a rollout decides when looks are far apart: a quiet fleet is looked at only when something
// happens.
import { type Advance, advanceRollout } from '@fleetset/scheduler-core/rollout/advance-rollout';
import { pacingOf } from '@fleetset/scheduler-core/rollout/pacing';
import { planRollout } from '@fleetset/scheduler-core/rollout/plan-rollout';
import { progressingCondition } from '@fleetset/scheduler-core/rollout/rollout-condition';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import { describe, expect, test } from 'vitest';

const on = (name: string, revision: string): RolloutNode => ({
  name,
  decision: 'Run',
  connected: true,
  lost: false,
  granted: revision,
  pod: { revision, available: true, deleted: false },
});

const down = (node: RolloutNode): RolloutNode =>
  node.pod ? { ...node, pod: { ...node.pod, available: false } } : node;

const look = (
  before: Advance | undefined,
  nodes: readonly RolloutNode[],
  seconds: number,
  policy: RolloutPolicySpec,
  approvedWaves = 0,
) =>
  advanceRollout(before?.record, before?.times, {
    newest: 'new',
    pacing: pacingOf('a policy', policy),
    nodes,
    closed: new Map(),
    approval: { revision: 'new', waves: approvedWaves, attempt: before?.record.attempt ?? 1 },
    now: seconds * 1000,
  });

describe('the deadline starts anew when nodes may move again, however long nobody looked,', () => {
  test('after a soak time that is longer', () => {
    const policy = { progressDeadlineSeconds: 60, steps: [{ nodes: 1, soakSeconds: 600 }] };
    const first = look(undefined, [on('a', 'old'), on('b', 'old')], 0, policy);
    const soaking = look(first, [on('a', 'new'), on('b', 'old')], 5, policy);
    expect(soaking.soakedAt).toBe(605_000);
    const soaked = look(soaking, [on('a', 'new'), on('b', 'old')], 605, policy);
    expect(soaked.record).toMatchObject({ phase: 'Progressing', wave: 1 });
    expect([...soaked.holds]).toEqual([]);
    expect(look(soaked, [on('a', 'new'), on('b', 'old')], 665, policy).record.reason).toBe(
      'ProgressDeadlineExceeded',
    );
  });

  test('after an approval that took longer', () => {
    const policy = { progressDeadlineSeconds: 60, steps: [{ nodes: 1, approval: 'Manual' as const }] };
    const asked = look(undefined, [on('a', 'old')], 0, policy);
    expect(look(asked, [on('a', 'old')], 3600, policy, 1).record.phase).toBe('Progressing');
  });

  test('after a pause that took longer', () => {
    const paused = look(undefined, [on('a', 'old')], 0, { paused: true });
    expect(look(paused, [on('a', 'old')], 3600, {}).record.phase).toBe('Progressing');
  });
});

// Found by the simulation (seed 6): a policy paused a fleet at rest, and the node that joined then stayed bare.
test('a node that joins while the rollout is paused gets the revision that all others have', () => {
  const joined: RolloutNode = { name: 'c', decision: 'Run', connected: true, lost: false };
  const first = look(undefined, [on('a', 'new'), on('b', 'new')], 0, {});
  expect(first.record.phase).toBe('Complete');
  const nodes = [on('a', 'new'), on('b', 'new'), joined];
  const { target, holds, fallback = '' } = look(first, nodes, 5, { paused: true });
  const strategy = { type: 'RollingUpdate', maxUnavailable: 1 } as const;
  const plan = planRollout({ strategy, target, nodes, holds, fallback });
  expect(plan.grants).toEqual([{ node: 'c', revision: 'new', reason: expect.stringContaining('paused') }]);
});

describe('a step that needs approval', () => {
  const steps = [{ nodes: 1 }, { nodes: '50%', approval: 'Manual' as const }];
  const joined = (name: string): RolloutNode => ({ name, decision: 'Run', connected: true, lost: false });

  // Found by the simulation: its nodes waited for ever, and were not told for what.
  test('holds nothing of the first revision, which comes to all nodes at once', () => {
    const first = look(undefined, [joined('a'), joined('b'), joined('c')], 0, { steps });
    expect([...first.holds]).toEqual([]);
  });

  // Found by the simulation (seed 46): bare nodes took up the budget that the canary waited for.
  test('holds no node without a pod while there is no stable revision that it could get', () => {
    const nodes = [on('a', 'old'), joined('b'), joined('c')];
    const first = advanceRollout(undefined, undefined, {
      newest: 'old',
      pacing: pacingOf('a policy', { steps: [{ nodes: 1 }] }),
      nodes,
      closed: new Map(),
      now: 0,
    });
    expect(first.record.phase).toBe('Progressing');
    expect([...look(first, nodes, 5, { steps: [{ nodes: 1 }] }).holds]).toEqual([]);
  });

  // Found by the simulation: the rollout stayed Progressing, and no node was there to say why.
  test('is passed when nobody is left to move', () => {
    const policy = { steps };
    const first = look(undefined, [on('a', 'old')], 0, policy);
    expect(look(first, [on('a', 'new')], 5, policy).record.phase).toBe('Complete');
    const two = look(undefined, [on('a', 'old'), on('b', 'old')], 0, policy);
    expect([...look(two, [on('a', 'new'), on('b', 'old')], 5, policy).holds]).toEqual([
      ['b', 'step 2 waits for approval'],
    ]);
  });
});

describe('where no node should run it', () => {
  const verdictOf = ({ record }: Advance, nodes: number) =>
    progressingCondition(record, pacingOf('a policy', {}), { nodes, waits: [] }, undefined, 'now');

  test('no deadline passes, people are told that there is nothing to do, and nothing counts as proved', () => {
    const first = look(undefined, [], 0, {});
    const later = look(first, [], 7200, {});
    expect(later.record).toMatchObject({ phase: 'Progressing', reason: '' });
    expect(later.record).not.toHaveProperty('stable');
    expect(verdictOf(later, 0)).toMatchObject({
      status: 'True',
      reason: 'RolloutComplete',
      message: 'no node should run it: nothing to do',
    });
    const joined = look(later, [{ name: 'a', decision: 'Run', connected: true, lost: false }], 7201, {});
    expect(verdictOf(joined, 1).reason).toBe('RolloutProgressing');
    const stuck = look(joined, [{ ...on('a', 'new'), failing: 'it crashes' }].map(down), 7202, {});
    expect(stuck.record).toMatchObject({ phase: 'Stopped', reason: 'FailureThresholdExceeded' });
  });

  test('a rollback ends', () => {
    const before = look(undefined, [on('a', 'old')], 0, {});
    const record = {
      ...before.record,
      stable: 'old',
      phase: 'RollingBack',
      reason: 'FailureThresholdExceeded',
    } as const;
    expect(look({ ...before, record }, [], 5, {}).record.phase).toBe('RolledBack');
  });
});

test('a try that was asked for before the failure is not made after it', () => {
  const node = {
    ...on('a', 'new'),
    failing: 'it crashes',
    pod: { revision: 'new', available: false, deleted: false },
  };
  const view = { newest: 'new', pacing: pacingOf('a policy', {}), closed: new Map() };
  const first = advanceRollout(undefined, undefined, { ...view, nodes: [on('a', 'old')], now: 0 });
  const asked = { ...view, retry: 'new/1', now: 1000 };
  const underWay = advanceRollout(first.record, first.times, { ...asked, nodes: [on('a', 'old')] });
  const failed = advanceRollout(underWay.record, underWay.times, { ...asked, nodes: [node] });
  expect(failed.record.phase).toBe('Stopped');
  const later = advanceRollout(failed.record, failed.times, { ...asked, nodes: [on('a', 'old')], now: 2000 });
  expect(later.record.phase).toBe('Stopped');
  const again = { ...asked, retry: 'new/2', nodes: [on('a', 'old')], now: 3000 };
  expect(advanceRollout(later.record, later.times, again).record.phase).toBe('Progressing');
});

test('another try of a revision whose deadline was over has all its time', () => {
  const coming = {
    ...on('a', 'old'),
    granted: 'new',
    pod: { revision: 'new', available: false, deleted: false },
  };
  const pacing = pacingOf('a policy', { onFailure: 'Pause', progressDeadlineSeconds: 60 });
  const view = { newest: 'new', pacing, closed: new Map(), nodes: [coming] };
  const old = { ...view, newest: 'old', nodes: [on('a', 'old')] };
  const before = advanceRollout(undefined, undefined, { ...old, now: 0 });
  const begun = advanceRollout(before.record, before.times, { ...view, now: 1000 });
  const late = advanceRollout(begun.record, begun.times, { ...view, now: 62_000 });
  expect(late.record.phase).toBe('Stopped');
  const retry = { ...view, retry: 'new/1' };
  const again = advanceRollout(late.record, late.times, { ...retry, now: 100_000 });
  expect(again.record).toMatchObject({ phase: 'Progressing', failures: {} });
  const still = advanceRollout(again.record, again.times, { ...retry, now: 159_000 });
  expect(still.record.phase).toBe('Progressing');
  const over = advanceRollout(still.record, still.times, { ...retry, now: 161_000 });
  expect(over.record.phase).toBe('Stopped');
});
