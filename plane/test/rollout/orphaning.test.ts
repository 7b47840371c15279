// Rule 22: what a DaemonSet takes over, it takes over as it is at that moment, or not at all.
import { expect, it } from 'vitest';
import { createFleet, type Fleet, indexPods, type Session } from '../../src/fleet/fleet.ts';
import { ORPHANS, orphanedSet } from '../../src/fleet/orphans.ts';
import { openGrantBook, putGrant } from '../../src/rollout/grants.ts';
import { adopt, settleOrphans } from '../../src/rollout/orphaning.ts';
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

type Reported = readonly [revision: string, terminating: boolean];

/** Pods of the DaemonSet that is gone. `answered`: to all that the node was told. */
function reports(fleet: Fleet, pods: readonly Reported[], answered: boolean): void {
  const generation = { epoch: 1, counter: 1 };
  fleet.change('n1', {
    session: {} as Session,
    reported: true,
    report: report('n1', { generation }),
    told: { generation: answered ? generation : { epoch: 1, counter: 2 }, content: undefined, bodies: [] },
    podsBySet: indexPods(
      pods.map(([revision, terminating]) =>
        podReport({ metadata: { uid: 'old', name: 'web', namespace: 'default' } }, revision, { terminating }),
      ),
    ),
  });
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
it.each<[string, readonly Reported[], string, boolean?]>([
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
    putGrant(store, 'old', 'n1', 'h', true),
  ]);
  reports(fleet, pods, known);
  await store.commit(plan());
  expect(openGrantBook(store).of('new').get('n1')).toBe(expected);
});

// Found by the simulation: a DaemonSet that took them over while no node was heard sent all of them on at once.
it.each<[string, readonly Reported[], string, boolean?]>([
  ['to what it runs, once it was told to stay', [['g', false]], 'g'],
  [
    'to what it runs, where what it was granted is ended',
    [
      ['g', false],
      ['h', true],
    ],
    'g',
  ],
  ['to what it was granted, as long as it has not answered', [['g', false]], 'h', false],
  [
    'to what it was granted, where that runs too',
    [
      ['g', false],
      ['h', false],
    ],
    'h',
  ],
])(
  'what a node may do with pods that are nobody’s settles %s',
  async (_what, pods, expected, known = true) => {
    const { store, fleet } = await world();
    await store.commit([putGrant(store, 'old', 'n1', 'h', true)]);
    reports(fleet, pods, known);
    const settle = () => settleOrphans(store, fleet, openGrantBook(store), ['n1']);
    await store.commit(settle());
    const grants = openGrantBook(store);
    expect([grants.of('old').get('n1'), grants.isSurge('old', 'n1')]).toEqual([expected, expected === 'h']);
    expect(settle()).toEqual([]);
  },
);
