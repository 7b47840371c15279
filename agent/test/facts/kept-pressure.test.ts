// What a node is short of is noticed within seconds, told once, and not forgotten too soon.
import type { Levels } from '@fleetset/scheduler-core/node/node-pressure';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createKeptPressure } from '../../src/facts/kept-pressure.ts';
import { createAgentEvents } from '../../src/node/agent-events.ts';
import { DEFAULT_NODE_SETTINGS } from '../../src/node-settings.ts';

let levels: () => Promise<Levels>;
let changes: number;
let leaving: AbortController;
const events = createAgentEvents();

beforeEach(() => {
  vi.useFakeTimers();
  levels = async () => enough;
  changes = 0;
  leaving = new AbortController();
});
afterEach(() => {
  leaving.abort();
  vi.useRealTimers();
});

const enough: Levels = {
  'memory.available': { available: 2 ** 30, capacity: 2 ** 31 },
  'nodefs.available': { available: 50, capacity: 100 },
};
const keep = () => {
  const pressure = createKeptPressure({
    nodeName: 'n1',
    settings: DEFAULT_NODE_SETTINGS,
    read: () => levels(),
    events,
    monotonicNow: () => performance.now(),
  });
  pressure.keep(leaving.signal, () => {
    changes += 1;
  });
  return () => Object.keys(pressure.now()).join(' ');
};
const passSeconds = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000);
const told = () => events.take().map(({ type, reason, message }) => `${type} ${reason}: ${message}`);

it('a shortage is told within seconds and ends five minutes after it was seen last', async () => {
  const short = keep();
  await passSeconds(60);
  expect([short(), changes, told()]).toEqual(['', 0, []]);
  levels = async () => ({ ...enough, 'nodefs.available': { available: 9, capacity: 100 } });
  await passSeconds(11);
  expect([short(), changes]).toEqual(['DiskPressure', 1]);
  expect(told()).toEqual([
    'Warning NodeHasDiskPressure: Node n1 status is now: NodeHasDiskPressure: nodefs.available is below 10%.',
  ]);
  await passSeconds(600);
  expect([changes, told()]).toEqual([1, []]);
  levels = async () => enough;
  await passSeconds(285);
  expect(short()).toBe('DiskPressure');
  await passSeconds(25);
  expect([short(), changes]).toEqual(['', 2]);
  expect(told()).toEqual(['Normal NodeHasNoDiskPressure: Node n1 status is now: NodeHasNoDiskPressure']);
});

it('another thing that is short of the same kind is told too, without another event', async () => {
  const short = keep();
  levels = async () => ({ 'nodefs.available': { available: 9, capacity: 100 } });
  await passSeconds(11);
  levels = async () => ({ 'imagefs.available': { available: 9, capacity: 100 } });
  await passSeconds(11);
  expect([short(), changes, told().length]).toEqual(['DiskPressure', 2, 1]);
});

it('a machine that cannot be read is asked again, and nobody looks after the end', async () => {
  let asked = 0;
  levels = () => {
    asked += 1;
    return Promise.reject(new Error('no /proc'));
  };
  const short = keep();
  await passSeconds(60);
  expect([short(), asked]).toEqual(['', 7]);
  leaving.abort();
  await passSeconds(600);
  expect([asked, vi.getTimerCount()]).toEqual([7, 0]);
});
