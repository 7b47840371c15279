// Parts of the plane put together as plane-core.ts does it, without its ends: the real store, intake and loops. What two of
// them do in one tick is a matter of luck over the wire, and of order here.
import { createEffects } from '../../src/api/kind-effects.ts';
import { createObjects } from '../../src/api/objects.ts';
import { createEventRecorder } from '../../src/events/event-recorder.ts';
import { createFleet } from '../../src/fleet/fleet.ts';
import { NODE_RECORDS } from '../../src/fleet/node-record.ts';
import { followPodsByNode } from '../../src/fleet/pod-mirror.ts';
import { createReportIntake } from '../../src/fleet/report-intake.ts';
import { startNodeLifecycle } from '../../src/lifecycle/node-lifecycle.ts';
import type { StoredValue } from '../../src/store/store.ts';
import type { Json } from './api-client.ts';
import { storeFile } from './store.ts';
import { turns } from './until.ts';

export const nowText = () => '2030-01-01T00:00:00Z';

export function intakeParts() {
  const store = storeFile().open();
  const clock = { now: 0 };
  const monotonicNow = () => clock.now;
  const fleet = createFleet(monotonicNow);
  const failures: unknown[] = [];
  const onFailure = (error: unknown) => void failures.push(error);
  const recorder = createEventRecorder(store, nowText, onFailure);
  const podsOf = followPodsByNode(store);
  const intake = createReportIntake({
    store,
    fleet,
    recorder,
    podsOf,
    nowText,
    onTaken: () => {},
    onFailure,
  });
  const removals = store.watch('core/nodes', store.version(), ({ id, value }) => {
    if (value) return;
    fleet.forget(id);
    void intake.forget(id);
  });
  const values = (collection: string): Json[] => [...store.list(collection)].map(({ value }) => value);
  return {
    store,
    clock,
    fleet,
    intake,
    recorder,
    failures,
    objects: createObjects(store, createEffects(store, 'a certificate'), nowText),
    lifecycle: (graceMs: number) =>
      startNodeLifecycle({
        store,
        fleet,
        podsOf,
        recorder,
        graceMs,
        monotonicNow,
        nowText,
        onLost: () => {},
        onFailure,
      }),
    put: (name: string, node: StoredValue = {}) =>
      store.commit([
        {
          collection: 'core/namespaces',
          id: 'default',
          value: { metadata: { name: 'default' } },
          durable: true,
        },
        {
          collection: 'core/nodes',
          id: name,
          value: { metadata: { name }, spec: {}, status: {}, ...node },
          durable: true,
        },
        {
          collection: NODE_RECORDS,
          id: name,
          value: { name, keyHash: 'k', ownLabels: {}, ownTaints: [] },
          durable: true,
        },
      ]),
    remove: (name: string) =>
      store.commit([
        { collection: 'core/nodes', id: name, durable: true },
        { collection: NODE_RECORDS, id: name, durable: true },
      ]),
    pods: () => values('core/pods'),
    eventsOf: (reason: string) => values('core/events').filter((event) => event.reason === reason),
    close: async () => {
      if (removals !== 'expired') removals.close();
      intake.close();
      recorder.close();
      await turns();
      await store.close();
    },
  };
}

export type IntakeParts = ReturnType<typeof intakeParts>;
