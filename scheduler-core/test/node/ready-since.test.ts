// Rule 26: available is ready for at least minReadySeconds, counted from when it became ready.
import { availableInMs, markReady, type ReadyMark } from '@fleetset/scheduler-core/node/ready-since';
import { describe, expect, test } from 'vitest';

const at = (upMs: number, bootId = 'boot-1') => ({ bootId, upMs });
const since = (sinceMs: number, containers = 'c1', bootId = 'boot-1'): ReadyMark => ({
  bootId,
  sinceMs,
  containers,
});

describe('since when a pod is ready', () => {
  test.each<[string, ReadyMark | undefined, boolean, string, number, string, ReadyMark | undefined]>([
    ['it has just become ready', undefined, true, 'c1', 100, 'boot-1', since(100)],
    ['it stays ready', since(100), true, 'c1', 200, 'boot-1', since(100)],
    ['it is ready no more', since(100), false, 'c1', 200, 'boot-1', undefined],
    ['another container is ready now', since(100), true, 'c2', 200, 'boot-1', since(200, 'c2')],
    ['the machine started anew', since(100), true, 'c1', 20, 'boot-2', since(20, 'c1', 'boot-2')],
  ])('%s', (_what, before, ready, containers, upMs, bootId, wanted) => {
    expect(markReady(before, ready, containers, at(upMs, bootId))).toEqual(wanted);
  });
});

describe('how long until it is available', () => {
  test.each<[string, ReadyMark | undefined, number, number | undefined]>([
    ['not ready', undefined, 0, undefined],
    ['ready, and nothing more is asked', since(100), 0, 0],
    ['not long enough', since(100), 50, 50],
    ['just long enough', since(50), 50, 0],
    ['much longer', since(10), 50, 0],
    ['much longer, before the machine started anew', since(10, 'c1', 'boot-0'), 50, 50],
    ['before the machine started anew, later by its clock', since(900, 'c1', 'boot-0'), 50, 50],
  ])('%s', (_what, mark, minReadyMs, wanted) => {
    expect(availableInMs(mark, minReadyMs, at(100))).toBe(wanted);
  });
});
