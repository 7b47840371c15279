// When a rollout wants to be looked at again by itself: at an instant to come, or never. One that has passed would
// have the plane plan without end.
import { type Advance, advanceRollout } from '@fleetset/scheduler-core/rollout/advance-rollout';
import { pacingOf } from '@fleetset/scheduler-core/rollout/pacing';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import type { RolloutRecord, RolloutTimes } from '@fleetset/scheduler-core/rollout/rollout-record';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import { describe, expect, it } from 'vitest';

const DEADLINE_MS = 600_000;

const node = (name: string, available: boolean): RolloutNode => ({
  name,
  decision: 'Run',
  connected: true,
  lost: false,
  granted: 'a',
  pod: { revision: 'a', available, deleted: false },
});

const look = (
  before: RolloutRecord | undefined,
  times: RolloutTimes | undefined,
  available: boolean,
  now: number,
  spec: Partial<RolloutPolicySpec> = {},
): Advance =>
  advanceRollout(before, times, {
    newest: 'a',
    pacing: pacingOf('the test', spec as RolloutPolicySpec),
    nodes: [node('n1', true), node('n2', available)],
    closed: new Map(),
    now,
  });

describe('when time alone changes something', () => {
  it('is the deadline of a rollout that is under way', () => {
    expect(look(undefined, undefined, false, 1000).nextAt).toBe(1000 + DEADLINE_MS);
  });

  it('is also the deadline of a node that others came after', () => {
    const first = look(undefined, undefined, false, 1000);
    // Another came nearer: the rollout has its time anew, the node that never had it does not.
    const nodes = [node('n1', true), node('n2', false), node('n3', true)];
    const view = { newest: 'a', nodes, closed: new Map(), now: 5000 };
    const later = advanceRollout(first.record, first.times, {
      ...view,
      pacing: pacingOf('the test', {} as RolloutPolicySpec),
    });
    expect(later.times.progressAt).toBe(5000);
    expect(later.nextAt).toBe(1000 + DEADLINE_MS);
  });

  it('is never, once every node had the revision', () => {
    const first = look(undefined, undefined, true, 0);
    expect(first.record.phase).toBe('Complete');
    for (const now of [1, DEADLINE_MS, 2 * DEADLINE_MS]) {
      const later = look(first.record, first.times, false, now);
      expect(later.record).toBe(first.record);
      expect(later.nextAt).toBeUndefined();
    }
  });

  it('is the deadline of the way back, once', () => {
    const failed = { newest: 'b', stable: 'a', phase: 'RollingBack' } as const;
    const record: RolloutRecord = {
      ...failed,
      reason: 'FailureThresholdExceeded',
      message: 'n2 failed',
      wave: 0,
      failures: {},
      attempt: 2,
      aside: [],
    };
    const back = (before: RolloutRecord, times: RolloutTimes | undefined, now: number) =>
      advanceRollout(before, times, {
        newest: 'b',
        pacing: pacingOf('the test', {} as RolloutPolicySpec),
        nodes: [node('n1', true), node('n2', false)],
        closed: new Map(),
        now,
      });
    const first = back(record, undefined, 1000);
    expect(first.nextAt).toBe(1000 + DEADLINE_MS);
    const late = back(first.record, first.times, 1000 + DEADLINE_MS);
    expect(late.record.late).toContain('no node came nearer in 600 s');
    expect(late.nextAt).toBeUndefined();
    expect(back(late.record, late.times, 2000 + DEADLINE_MS).record).toBe(late.record);
  });

  it.each(['Pause', 'Continue'] as const)('is never after the deadline under onFailure %s', (onFailure) => {
    const first = look(undefined, undefined, false, 0, { onFailure });
    const late = look(first.record, first.times, false, DEADLINE_MS + 1, { onFailure });
    expect(late.record.reason).toBe('ProgressDeadlineExceeded');
    expect(late.nextAt).toBeUndefined();
  });
});
