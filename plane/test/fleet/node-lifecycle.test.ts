// Which nodes are looked at when one of them is written: that one, and all of them when the first may have fallen silent.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readyCondition } from '../../src/fleet/compose-node.ts';
import type { Json } from '../support/api-client.ts';
import { type IntakeParts, intakeParts } from '../support/intake-parts.ts';
import { report } from '../support/reports.ts';
import { turns } from '../support/until.ts';

const GRACE_MS = 40_000;

let parts: IntakeParts;
beforeEach(async () => {
  parts = intakeParts();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  for (const name of ['loud', 'quiet']) {
    await parts.put(name);
    parts.intake.take(name, report(name));
  }
  await turns();
});
afterEach(async () => {
  vi.useRealTimers();
  await parts.close();
  expect(parts.failures).toEqual([]);
});

const node = (name: string): Json => parts.store.get('core/nodes', name)?.value;
const ready = (name: string) => readyCondition(node(name).status)?.status;
let label = 0;
const relabel = (name: string) => {
  const { metadata, ...rest } = node(name);
  return parts.store.commit([
    {
      collection: 'core/nodes',
      id: name,
      value: { ...rest, metadata: { ...metadata, labels: { n: `${++label}` } } },
      durable: true,
    },
  ]);
};
const passMs = async (ms: number) => {
  parts.clock.now += ms;
  vi.advanceTimersByTime(ms);
  await turns();
};

describe('the life of nodes', () => {
  it('finds one that falls silent while another is written all the time', async () => {
    const lifecycle = parts.lifecycle(GRACE_MS);
    await turns();
    for (let spent = 0; spent < GRACE_MS; spent += 5000) {
      expect([ready('loud'), ready('quiet')]).toEqual(['True', 'True']);
      await passMs(5000);
      parts.fleet.state('loud').heardAt = parts.clock.now;
      await relabel('loud');
      await turns();
    }
    expect([ready('loud'), ready('quiet')]).toEqual(['True', 'Unknown']);
    await lifecycle.stop();
  });

  it('looks at no other node when one is written', async () => {
    const lifecycle = parts.lifecycle(GRACE_MS);
    await turns();
    const looked = vi.spyOn(parts.fleet, 'state');
    await relabel('loud');
    await turns();
    expect(new Set(looked.mock.calls.map(([name]) => name))).toEqual(new Set(['loud']));
    await lifecycle.stop();
  });

  it('goes over all of them again after it failed', async () => {
    const lifecycle = parts.lifecycle(GRACE_MS);
    await turns();
    const { commit } = parts.store;
    const failing = vi.spyOn(parts.store, 'commit').mockRejectedValue(new Error('the disk is full'));
    await passMs(GRACE_MS);
    expect(ready('quiet')).toBe('True');
    failing.mockImplementation(commit);
    await passMs(1000);
    expect([ready('loud'), ready('quiet')]).toEqual(['Unknown', 'Unknown']);
    expect(parts.failures.splice(0)).not.toEqual([]);
    await lifecycle.stop();
  });
});
