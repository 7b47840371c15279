// Rule 22: what a DaemonSet takes over, it takes over as it is at that moment, or not at all.
import { expect, it } from 'vitest';
import { ORPHANS, orphanedSet } from '../../src/fleet/orphans.ts';
import { openGrantBook } from '../../src/rollout/grants.ts';
import { adopt } from '../../src/rollout/orphaning.ts';
import { openRolloutRecords } from '../../src/rollout/rollout-records.ts';
import { openSqliteStore } from '../../src/store/sqlite-store.ts';
import type { StoredValue, Write } from '../../src/store/store.ts';
import type { Json } from '../support/api-client.ts';
import { daemonSet } from '../support/manifests.ts';

const ID = 'default/web';
const put = (value: Json): Write => ({ collection: 'apps/daemonsets', id: ID, value, durable: true });

async function world() {
  const store = openSqliteStore(':memory:');
  const { metadata, ...rest } = daemonSet('web');
  await store.commit([
    put({ ...rest, metadata: { ...metadata, namespace: 'default', uid: 'new' } }),
    {
      collection: ORPHANS,
      id: 'old',
      value: { uid: 'old', namespace: 'default', name: 'web', labels: { h: { app: 'web' } } },
      durable: true,
    },
  ]);
  const set = () => store.get('apps/daemonsets', ID)?.value as StoredValue;
  const plan = () => adopt(store, openGrantBook(store), openRolloutRecords(store), set() as never, []);
  return { store, set, plan, adopter: () => orphanedSet(store, 'old')?.adopter };
}

it('takes over what matches, once', async () => {
  const { store, plan, adopter } = await world();
  expect((await store.commit(plan())).committed).toBe(true);
  expect([adopter(), plan()]).toEqual([{ uid: 'new', name: 'web' }, []]);
});

it.each<[string, (set: StoredValue) => Write]>([
  ['is deleted', () => ({ collection: 'apps/daemonsets', id: ID, durable: true })],
  [
    'begins to be deleted',
    (set: Json) => put({ ...set, metadata: { ...set.metadata, deletionTimestamp: 'T' } }),
  ],
])('takes over nothing when it %s at the same moment', async (_, change) => {
  const { store, set, plan, adopter } = await world();
  const [, late] = await Promise.all([store.commit([change(set())]), store.commit(plan())]);
  expect([late.committed, adopter()]).toEqual([false, undefined]);
});
