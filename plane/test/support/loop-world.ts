// The rollout loop alone, over a store in memory and a fleet of which nothing is heard, on a clock set by hand: what
// time alone makes it do.
import { vi } from 'vitest';
import { createEventRecorder } from '../../src/events/event-recorder.ts';
import { createFleet } from '../../src/fleet/fleet.ts';
import { createBodyBook } from '../../src/rollout/body-book.ts';
import { openConfigSnapshots } from '../../src/rollout/config-snapshots.ts';
import { openGrantBook, putGrant } from '../../src/rollout/grants.ts';
import { type RolloutLoop, startRolloutLoop } from '../../src/rollout/rollout-loop.ts';
import { openRolloutRecords } from '../../src/rollout/rollout-records.ts';
import { openSqliteStore } from '../../src/store/sqlite-store.ts';
import type { Store } from '../../src/store/store.ts';
import type { Json } from './api-client.ts';
import { daemonSet } from './manifests.ts';

export interface LoopWorld {
  readonly store: Store;
  readonly loop: RolloutLoop;
  /** What went wrong. */
  readonly failures: readonly unknown[];
  readonly put: (collection: string, id: string, value: Json) => Promise<unknown>;
  /** The clock goes on, and what waited for it wakes. */
  readonly pass: (ms: number) => void;
  readonly stop: () => Promise<void>;
}

export const NOW = '2030-01-01T00:00:00Z';

/** DaemonSet web, which node `silent` may run and is not known to. Timers are the test's until it stops. */
export async function startLoopWorld(): Promise<LoopWorld> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const store = openSqliteStore(':memory:');
  const failures: unknown[] = [];
  let now = 0;
  const monotonicNow = () => now;
  const nowText = () => NOW;
  const bodies = createBodyBook();
  const put = (collection: string, id: string, value: Json) =>
    store.commit([{ collection, id, value, durable: true }]);
  await put('core/namespaces', 'default', { metadata: { name: 'default' } });
  await put('core/nodes', 'silent', { metadata: { name: 'silent', labels: {} } });
  await store.commit([putGrant(store, 'uid-web', 'silent', 'one')]);
  const set = daemonSet('web', { metadata: { namespace: 'default', uid: 'uid-web', generation: 1 } });
  await put('apps/daemonsets', 'default/web', { ...set, status: {} });
  const recorder = createEventRecorder(store, nowText, (error) => failures.push(error));
  const loop = startRolloutLoop({
    store,
    fleet: createFleet(monotonicNow),
    bodies,
    grants: openGrantBook(store),
    records: openRolloutRecords(store),
    snapshots: await openConfigSnapshots(store, bodies),
    recorder,
    api: () => ({ host: '192.0.2.1', port: 6443 }),
    monotonicNow,
    nowText,
    onFailure: (error) => failures.push(error),
  });
  return {
    store,
    loop,
    failures,
    put,
    pass: (ms) => {
      now += ms;
      vi.advanceTimersByTime(ms);
    },
    stop: async () => {
      await loop.stop();
      recorder.close();
      vi.useRealTimers();
      await store.close();
    },
  };
}
