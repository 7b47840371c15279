// Proves the exact waits between restarts, and when they are forgotten (rules 96 and 98).
import {
  type BackOff,
  CONTAINER_RESTART,
  decideRetry,
  IMAGE_PULL,
} from '@fleetset/scheduler-core/restart-back-off';
import { describe, expect, test } from 'vitest';

/** Fails again right after each retry; answers with the waits in seconds. */
function waits(times: number, runsForMs: (retry: number) => number, limits = CONTAINER_RESTART): number[] {
  let backOff: BackOff | undefined;
  let now = 1_000_000;
  const seen: number[] = [];
  for (let retry = 0; retry < times; retry++) {
    now += runsForMs(retry);
    const failedAt = now;
    let decision = decideRetry(backOff, failedAt, now, limits);
    if (!decision.retry) {
      expect(decideRetry(backOff, failedAt, decision.until - 1, limits).retry).toBe(false);
      now = decision.until;
      decision = decideRetry(backOff, failedAt, now, limits);
    }
    if (!decision.retry) throw new Error('it would wait for ever');
    backOff = decision.backOff;
    seen.push((now - failedAt) / 1000);
  }
  return seen;
}

describe('rule 96: a container that keeps ending', () => {
  test('is restarted at once, then after 10, 20, 40, 80, 160, 300, 300 s', () => {
    expect(waits(9, () => 1)).toEqual([0, 10, 20, 40, 80, 160, 300, 300, 300]);
  });
  test('waits from its end, however long it ran', () => {
    expect(waits(4, () => 599_000)).toEqual([0, 10, 20, 40]);
  });
  test('that ran for exactly 600 s is not forgiven yet', () => {
    expect(waits(3, (retry) => (retry === 2 ? 600_000 : 1))).toEqual([0, 10, 20]);
  });
  test('that ran for more than 600 s begins anew, at once', () => {
    expect(waits(5, (retry) => (retry === 3 ? 600_001 : 1))).toEqual([0, 10, 20, 0, 10]);
  });
});

test('rule 98: an image that cannot be pulled waits 10 to 300 s from each failed try', () => {
  // The first wait is there from the first failure: see plan-containers.
  const first = { waitMs: IMAGE_PULL.initialMs, updatedAt: 5000 };
  expect(decideRetry(first, 5000, 5000, IMAGE_PULL)).toEqual({ retry: false, waitMs: 10_000, until: 15_000 });
  expect(decideRetry(first, 5000, 15_000, IMAGE_PULL)).toEqual({
    retry: true,
    backOff: { waitMs: 20_000, updatedAt: 15_000 },
  });
});

test('a wait is counted from the failure, not from when somebody looks', () => {
  const backOff = { waitMs: 10_000, updatedAt: 0 };
  expect(decideRetry(backOff, 1000, 2000, CONTAINER_RESTART)).toMatchObject({ retry: false, until: 11_000 });
  expect(decideRetry(backOff, 1000, 9000, CONTAINER_RESTART)).toMatchObject({ retry: false, until: 11_000 });
});
