// While a DaemonSet waits in the foreground for its pods to go, the loop that paced it waits for a word too.
import { afterEach, expect, it, vi } from 'vitest';
import { createEventRecorder } from '../../src/events/event-recorder.ts';
import { createFleet } from '../../src/fleet/fleet.ts';
import { createBodyBook } from '../../src/rollout/body-book.ts';
import { openConfigSnapshots } from '../../src/rollout/config-snapshots.ts';
import { openGrantBook, putGrant } from '../../src/rollout/grants.ts';
import { startRolloutLoop } from '../../src/rollout/rollout-loop.ts';
import { openRolloutRecords } from '../../src/rollout/rollout-records.ts';
import { openSqliteStore } from '../../src/store/sqlite-store.ts';
import type { Json } from '../support/api-client.ts';
import { daemonSet } from '../support/manifests.ts';
import { turns, until } from '../support/until.ts';

afterEach(() => void vi.useRealTimers());

it('leaves no deadline of its rollout behind to wake for', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const store = openSqliteStore(':memory:');
  const failures: unknown[] = [];
  const monotonicNow = () => 0;
  const nowText = () => '2030-01-01T00:00:00Z';
  const fleet = createFleet(monotonicNow);
  const bodies = createBodyBook();
  const set = daemonSet('web', { metadata: { namespace: 'default', uid: 'uid-web', generation: 1 } });
  const put = (collection: string, id: string, value: Json) =>
    store.commit([{ collection, id, value, durable: true }]);
  await put('core/nodes', 'silent', { metadata: { name: 'silent', labels: {} } });
  // What it was granted it may run: until it has been heard the DaemonSet stays.
  await store.commit([putGrant('uid-web', 'silent', 'one')]);
  await put('apps/daemonsets', 'default/web', { ...set, status: {} });
  const recorder = createEventRecorder(store, nowText, (error) => failures.push(error));
  const loop = startRolloutLoop({
    store,
    fleet,
    bodies,
    grants: openGrantBook(store),
    records: openRolloutRecords(store),
    snapshots: await openConfigSnapshots(store, bodies),
    recorder,
    monotonicNow,
    nowText,
    onFailure: (error) => failures.push(error),
  });
  await until('its deadline is waited for', () => vi.getTimerCount() === 1);
  expect(loop.planOf('uid-web')?.waits).toHaveLength(1);

  const stored = store.get('apps/daemonsets', 'default/web')?.value as Json;
  const metadata = { ...stored.metadata, deletionTimestamp: nowText(), finalizers: ['foregroundDeletion'] };
  await put('apps/daemonsets', 'default/web', { ...stored, metadata });
  await until('it is paced no more', () => loop.planOf('uid-web') === undefined);
  await turns();
  expect(store.get('apps/daemonsets', 'default/web')).toBeDefined();
  expect(vi.getTimerCount()).toBe(0);
  expect(failures).toEqual([]);
  await loop.stop();
  recorder.close();
  await store.close();
});
