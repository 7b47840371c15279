// Usage is told while somebody looks, and nothing is measured when nobody does.
import type { Usage } from '@fleetset/proto/gen/fleetset/v1/node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { busyTicks, type UsageSample, usageBetween } from '../../src/usage/take-sample.ts';
import { createUsageReports } from '../../src/usage/usage-reports.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const sample = (
  at: number,
  cpuNanos: number,
  containers: UsageSample['containers'] = new Map(),
): UsageSample => ({
  at,
  node: { cpuNanos, memoryBytes: 7 },
  containers,
});

const open = () => {
  const sent: Usage[] = [];
  let taken = 0;
  const leaving = new AbortController();
  const wanted = createUsageReports({
    take: (_containers, now) => {
      taken += 1;
      return sample(now, now * 2e6);
    },
    containers: () => [],
    send: (usage) => void sent.push(usage),
    monotonicNow: () => performance.now(),
    signal: leaving.signal,
    onFailure: (error) => {
      throw error;
    },
  });
  return { sent, wanted, taken: () => taken, stop: () => leaving.abort() };
};
const passSeconds = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);

describe('usage', () => {
  it('is told a second after it is asked for, then every 15 seconds, then no more', async () => {
    const { sent, wanted, taken } = open();
    await passSeconds(3600);
    expect(taken()).toBe(0);
    wanted(60_000);
    await passSeconds(1);
    expect(sent).toMatchObject([{ windowMs: 1000, cpuNanoCores: 2e9, memoryBytes: 7 }]);
    await passSeconds(45);
    expect(sent.map(({ windowMs }) => windowMs)).toEqual([1000, 15_000, 15_000, 15_000]);
    await passSeconds(3600);
    expect([sent.length, taken(), vi.getTimerCount()]).toEqual([4, 5, 0]);
  });

  it('goes on while somebody asks, who is told what is so now, or a moment ago', async () => {
    const { sent, wanted, taken } = open();
    wanted(20_000);
    await passSeconds(2);
    wanted(20_000);
    expect(sent).toHaveLength(2);
    expect(sent[1]).toBe(sent[0]);
    await passSeconds(8);
    wanted(20_000);
    expect(sent.map(({ windowMs }) => windowMs)).toEqual([1000, 1000, 9000]);
    await passSeconds(16);
    expect([sent.length, taken()]).toEqual([4, 4]);
    await passSeconds(3600);
    expect([sent.length, vi.getTimerCount()]).toEqual([4, 0]);
    wanted(20_000);
    await passSeconds(1);
    expect(sent.at(-1)?.windowMs).toBe(1000);
  });

  it('is not asked for without end, and not told by an agent that has stopped', async () => {
    const { sent, wanted, stop } = open();
    wanted(1e12);
    await passSeconds(3600);
    expect(sent).toHaveLength(40);
    wanted(60_000);
    stop();
    await passSeconds(60);
    expect([sent.length, vi.getTimerCount()]).toEqual([40, 0]);
  });
});

describe('between two looks', () => {
  const used = (podUid: string, name: string, cpuNanos: number, ageMs?: number) => ({
    podUid,
    name,
    cpuNanos,
    memoryBytes: 100,
    ...(ageMs === undefined ? {} : { ageMs }),
  });

  it('a container that began meanwhile counts from its beginning', () => {
    const before = sample(
      0,
      0,
      new Map([
        ['a', used('p1', 'app', 1e9)],
        ['old', used('p1', 'side', 5e9)],
      ]),
    );
    const now = sample(
      2000,
      4e9,
      new Map([
        ['a', used('p1', 'app', 2e9)],
        ['restarted', used('p1', 'side', 1e9, 1250)],
        ['born', used('p2', 'app', 1e6, 3)],
        ['unknown', used('p3', 'app', 1e9)],
      ]),
    );
    expect(usageBetween(before, now)).toEqual({
      windowMs: 2000,
      cpuNanoCores: 2e9,
      memoryBytes: 7,
      pods: [
        {
          podUid: 'p1',
          containers: [
            { name: 'app', cpuNanoCores: 5e8, memoryBytes: 100 },
            { name: 'side', cpuNanoCores: 8e8, memoryBytes: 100 },
          ],
        },
        { podUid: 'p2', containers: [{ name: 'app', cpuNanoCores: 1e6, memoryBytes: 100 }] },
      ],
    });
  });

  it('of a machine only what its processors did counts', () => {
    expect(busyTicks('cpu  100 20 30 9999 888 4 5 6 50 10\ncpu0 1 1 1 1\n')).toBe(159);
  });
});
