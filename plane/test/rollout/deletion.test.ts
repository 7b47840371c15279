// While a DaemonSet waits in the foreground for its pods to go, the loop that paced it waits for a word too.
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { NOW, startLoopWorld } from '../support/loop-world.ts';
import { turns, until } from '../support/until.ts';

it('leaves no deadline of its rollout behind to wake for', async () => {
  const { store, loop, put, failures, stop } = await startLoopWorld();
  onTestFinished(stop);
  await until('its deadline is waited for', () => vi.getTimerCount() === 1);
  expect(loop.planOf('uid-web')?.waits).toHaveLength(1);

  const stored = store.get('apps/daemonsets', 'default/web')?.value as Json;
  const metadata = { ...stored.metadata, deletionTimestamp: NOW, finalizers: ['foregroundDeletion'] };
  await put('apps/daemonsets', 'default/web', { ...stored, metadata });
  await until('it is paced no more', () => loop.planOf('uid-web') === undefined);
  await turns();
  // What it was granted the node may run: until it has been heard the DaemonSet stays.
  expect(store.get('apps/daemonsets', 'default/web')).toBeDefined();
  expect(vi.getTimerCount()).toBe(0);
  expect(failures).toEqual([]);
});
