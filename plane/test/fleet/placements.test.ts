// Placements are made when they are asked for: one of them without making the others.
import { describe, expect, it } from 'vitest';
import { createFleet } from '../../src/fleet/fleet.ts';
import { openGrantBook } from '../../src/rollout/grants.ts';
import { placements } from '../../src/rollout/placements.ts';
import { openRolloutRecords } from '../../src/rollout/rollout-records.ts';
import { daemonSet } from '../support/manifests.ts';
import { committed, storeFile } from '../support/store.ts';

const SETS = ['web', 'log', 'log.v2'];
const NODES = ['a', 'b', 'v2.a', 'a.example.com'];

async function sources() {
  const store = storeFile().open();
  await committed(store, [
    ...SETS.map((name) => ({
      collection: 'apps/daemonsets',
      id: `default/${name}`,
      value: daemonSet(name, { metadata: { namespace: 'default', uid: `u-${name}` } }),
      durable: true,
    })),
    ...NODES.map((name) => ({
      collection: 'core/nodes',
      id: name,
      value: { metadata: { name } },
      durable: true,
    })),
  ]);
  const made: string[] = [];
  const newestOf = ({ metadata }: { readonly metadata: { readonly name?: string } }) => {
    made.push(metadata.name ?? '');
    return 'newest';
  };
  const grants = openGrantBook(store);
  return {
    store,
    made,
    sources: {
      store,
      fleet: createFleet(() => 0),
      grants,
      records: openRolloutRecords(store),
      planOf: () => undefined,
      nowText: () => '2030-01-02T03:04:05Z',
      newestOf,
    },
  };
}

describe('placements', () => {
  // The bug this found: to answer one GET those of every DaemonSet on every node were made.
  it('of one name are one, and the history of no other DaemonSet is looked at', async () => {
    const { store, made, sources: from } = await sources();
    const found = placements(from, 'default').find('web.b');
    expect(found).toMatchObject({
      metadata: { name: 'web.b', namespace: 'default', uid: 'u-web.b' },
      spec: { daemonSetName: 'web', nodeName: 'b' },
      status: { decision: 'Run', decidedBy: 'Plane', newestRevision: 'newest' },
    });
    expect(made).toEqual(['web']);
    await store.close();
  });

  it.each([
    ['log.a.example.com', 'log', 'a.example.com'],
    ['log.v2.b', 'log.v2', 'b'],
    ['log.v2.a.example.com', 'log.v2', 'a.example.com'],
    // Two pairs have this name: the shorter DaemonSet is meant.
    ['log.v2.a', 'log', 'v2.a'],
  ])('%s is found whatever dots its names have', async (name, set, node) => {
    const { store, sources: from } = await sources();
    expect(placements(from, 'default').find(name)?.spec).toEqual({ daemonSetName: set, nodeName: node });
    await store.close();
  });

  it.each(['web', 'web.', '.a', 'web.nope', 'nope.a', ''])('%j is none', async (name) => {
    const { store, sources: from } = await sources();
    expect(placements(from, 'default').find(name)).toBeUndefined();
    expect(placements(from, 'elsewhere').find('web.a')).toBeUndefined();
    await store.close();
  });

  it('of all are every DaemonSet on every node, each the same as by its name', async () => {
    const { store, made, sources: from } = await sources();
    const all = [...placements(from, undefined)];
    expect(all).toHaveLength(SETS.length * NODES.length);
    expect(made).toEqual(SETS);
    for (const one of all.filter(({ metadata }) => metadata.uid !== 'u-log.v2.a'))
      expect(placements(from, 'default').find(one.metadata.name ?? '')).toEqual(one);
    expect([...placements(from, 'elsewhere')]).toEqual([]);
    await store.close();
  });
});
