// Rule 22: what a DaemonSet takes over, it takes over as it is at that moment, or not at all.
import { expect, it } from 'vitest';
import { createFleet, indexPods, type Session } from '../../src/fleet/fleet.ts';
import { ORPHANS, orphanedSet } from '../../src/fleet/orphans.ts';
import { openGrantBook, putGrant } from '../../src/rollout/grants.ts';
import { adopt } from '../../src/rollout/orphaning.ts';
import { openRolloutRecords } from '../../src/rollout/rollout-records.ts';
import { openSqliteStore } from '../../src/store/sqlite-store.ts';
import type { StoredValue, Write } from '../../src/store/store.ts';
import type { Json } from '../support/api-client.ts';
import { daemonSet } from '../support/manifests.ts';
import { podReport, report } from '../support/reports.ts';

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
  const fleet = createFleet(() => 0);
  const set = () => store.get('apps/daemonsets', ID)?.value as StoredValue;
  const plan = () => adopt(store, fleet, openGrantBook(store), openRolloutRecords(store), set() as never, []);
  return { store, set, plan, fleet, adopter: () => orphanedSet(store, 'old')?.adopter };
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

// Found by the simulation: the node was sent on to a revision that is nobody's any more, whatever the budget and its window.
it.each<[string, readonly (readonly [string, boolean])[], string, boolean?]>([
  ['what it was granted', [['h', false]], 'h'],
  ['what it was granted, where it has not answered yet', [['g', false]], 'h', false],
  [
    'what it was granted, where both run',
    [
      ['g', false],
      ['h', false],
    ],
    'h',
  ],
  ['what it runs, where what it was granted never came', [['g', false]], 'g'],
  [
    'what it runs, where what it was granted is ended',
    [
      ['g', false],
      ['h', true],
    ],
    'g',
  ],
  ['what it was granted, where nothing is known', [], 'h'],
])('a node whose pods are taken over is granted %s', async (_what, pods, expected, known = true) => {
  const { store, plan, fleet } = await world();
  await store.commit([
    ...['g', 'h'].map(
      (hash): Write => ({
        collection: 'apps/controllerrevisions',
        id: `default/web-${hash}`,
        value: {
          metadata: {
            name: `web-${hash}`,
            namespace: 'default',
            labels: { app: 'web', 'controller-revision-hash': hash },
          },
          revision: 1,
          data: {},
        },
        durable: true,
      }),
    ),
    putGrant('old', 'n1', 'h', true),
  ]);
  const generation = { epoch: 1, counter: 1 };
  fleet.change('n1', {
    session: {} as Session,
    reported: true,
    report: report('n1', { generation }),
    told: { generation: known ? generation : { epoch: 1, counter: 2 }, content: undefined, bodies: [] },
    podsBySet: indexPods(
      pods.map(([revision, terminating]) =>
        podReport({ metadata: { uid: 'old', name: 'web', namespace: 'default' } }, revision, { terminating }),
      ),
    ),
  });
  await store.commit(plan());
  expect(openGrantBook(store).of('new').get('n1')).toBe(expected);
});
