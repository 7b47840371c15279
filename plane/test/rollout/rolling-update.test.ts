// Rolling updates through the real plane, on nodes that behave: never more down than maxUnavailable, whatever happens.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Json, STRATEGIC } from '../support/api-client.ts';
import {
  createHollowFleet,
  type HollowFleet,
  untilQuiet,
  untilRolledOut,
  untilStatus,
} from '../support/hollow-fleet.ts';
import { daemonSet, PODS, SETS } from '../support/manifests.ts';
import { setImage } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
let fleet: HollowFleet;
let name = '';
let count = 0;
beforeAll(async () => {
  plane = await startTestPlane();
  fleet = createHollowFleet(plane);
  await fleet.add(8);
});
afterAll(async () => {
  fleet.stop();
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});
afterEach(() => plane.api.call('DELETE', `${SETS}/${name}`));

const size = () => fleet.nodes.length;
const times = (number: number) => Array(size()).fill(number) as number[];

async function running(options: Json = {}): Promise<Json> {
  name = `web${++count}`;
  await plane.api.ok('POST', SETS, daemonSet(name, { image: 'web:1', ...options }));
  return untilRolledOut(plane, name, size());
}

const patch = (change: Json) => plane.api.ok('PATCH', `${SETS}/${name}`, change, { type: STRATEGIC });
const touched = (set: Json) => fleet.nodes.filter((node) => node.births(set.metadata.uid) > 1);

describe('the first pods of a DaemonSet', () => {
  it('come to all nodes at once, without regard to any budget', async () => {
    const set = await running();
    expect(fleet.births(set)).toEqual(times(1));
    expect(set.status).toMatchObject({
      currentNumberScheduled: 8,
      desiredNumberScheduled: 8,
      numberMisscheduled: 0,
      numberReady: 8,
      numberAvailable: 8,
      updatedNumberScheduled: 8,
      observedGeneration: 1,
    });
  });

  it('come broken to all nodes at once too, and count as unavailable', async () => {
    name = `web${++count}`;
    await plane.api.ok('POST', SETS, daemonSet(name, { image: 'broken:1' }));
    const { status } = await untilStatus(plane, name, { currentNumberScheduled: 8, numberUnavailable: 8 });
    expect(status).toMatchObject({ numberReady: 0, updatedNumberScheduled: 8 });
    expect(status).not.toHaveProperty('numberAvailable');
  });
});

describe('an update', () => {
  // Seen failing with `left -= 1` taken out of planRollout.
  it.each([
    [1, 1],
    [2, 2],
    ['25%', 2],
    ['26%', 3],
    ['100%', 8],
  ])(
    'with maxUnavailable %s of 8 nodes never has more than %i down, and restarts each once',
    async (maxUnavailable, most) => {
      const set = await running({ maxUnavailable });
      const guard = fleet.guard(set);
      await setImage(plane, 'web:2', name);
      await untilRolledOut(plane, name, 8);
      expect(guard.worst()).toBeLessThanOrEqual(most);
      expect(guard.worst()).toBeGreaterThan(0);
      expect(fleet.births(set)).toEqual(times(2));
      guard.end();
    },
  );

  it('that never becomes available stops at maxUnavailable, and everything else runs on', async () => {
    const set = await running({ maxUnavailable: 2 });
    const guard = fleet.guard(set);
    await setImage(plane, 'broken:2', name);
    await untilStatus(plane, name, { updatedNumberScheduled: 2, numberUnavailable: 2, numberAvailable: 6 });
    await untilQuiet(fleet);
    expect(guard.worst()).toBe(2);
    expect(touched(set)).toHaveLength(2);
    guard.end();
  });

  it('over a stuck one replaces the stuck pods first, and the whole fleet in the end', async () => {
    const set = await running({ maxUnavailable: 2 });
    const guard = fleet.guard(set);
    await setImage(plane, 'broken:2', name);
    await untilStatus(plane, name, { numberUnavailable: 2 });
    const stuck = guard.downNow();
    await setImage(plane, 'web:3', name);
    await untilRolledOut(plane, name, 8);
    expect(guard.worst()).toBe(2);
    expect(fleet.births(set)).toEqual(fleet.nodes.map((node) => (stuck.includes(node) ? 3 : 2)));
    guard.end();
  });

  it('broken again and again, with the plane restarted in between, takes no second node down', async () => {
    const set = await running();
    const guard = fleet.guard(set);
    for (const version of [2, 3, 4, 5, 6]) {
      await setImage(plane, `broken:${version}`, name);
      // Half of the time the plane is stopped before it could have done all it would.
      if (version % 2 === 0) await untilStatus(plane, name, { numberUnavailable: 1 });
      await plane.restart();
      await untilStatus(plane, name, { numberUnavailable: 1, numberAvailable: 7, updatedNumberScheduled: 1 });
    }
    await untilQuiet(fleet);
    expect(guard.worst()).toBe(1);
    // Only one node was ever touched.
    expect(touched(set)).toHaveLength(1);
    await setImage(plane, 'web:7', name);
    await untilRolledOut(plane, name, 8);
    expect(guard.worst()).toBe(1);
    guard.end();
  });

  it('counts a pod that failed by itself against the budget, and mends that node first', async () => {
    const set = await running();
    const [, ill] = fleet.nodes;
    ill?.setHealth(set.metadata.uid, false);
    await untilStatus(plane, name, { numberAvailable: 7 });
    const guard = fleet.guard(set);
    await setImage(plane, 'broken:2', name);
    await until('the ill node is moved', () => ill?.births(set.metadata.uid) === 2);
    await untilQuiet(fleet);
    // Rule 34: an unavailable old pod goes at once, and still uses up the budget.
    expect(touched(set)).toEqual([ill]);
    expect(guard.worst()).toBe(1);
    guard.end();
  });

  // The bug this found, now and then: a grant of what a node runs anyway frees budget, but brings no report, and the
  // rollout waited for one for ever.
  it('that is taken back while it is under way ends where it began', async () => {
    const set = await running();
    const before = fleet.nodes.map((node) => node.podOf(set.metadata.uid)?.revision);
    const guard = fleet.guard(set);
    for (let round = 2; round < 8; round++) {
      const births = touched(set).length;
      await setImage(plane, `web:${round}`, name);
      if (births === 0) await until('under way', () => touched(set).length > 0);
      await setImage(plane, 'web:1', name);
      await untilRolledOut(plane, name, 8);
      expect(fleet.nodes.map((node) => node.podOf(set.metadata.uid)?.revision)).toEqual(before);
    }
    expect(guard.worst()).toBe(1);
    guard.end();
  });

  it('of only the strategy, minReadySeconds or the history restarts nothing (rule 55)', async () => {
    const set = await running();
    await patch({
      spec: {
        minReadySeconds: 1,
        revisionHistoryLimit: 2,
        updateStrategy: { rollingUpdate: { maxUnavailable: 3 } },
      },
    });
    await untilStatus(plane, name, { observedGeneration: 2 });
    await untilQuiet(fleet);
    expect(fleet.births(set)).toEqual(times(1));
  });

  it('of several DaemonSets at once keeps the budget of each', async () => {
    const names = ['one', 'two', 'three'];
    const sets = await Promise.all(names.map((one) => plane.api.ok('POST', SETS, daemonSet(one))));
    for (const one of names) await untilRolledOut(plane, one, 8);
    const guards = sets.map((set) => fleet.guard(set));
    await Promise.all(names.map((one) => setImage(plane, 'broken', one)));
    for (const one of names) await untilStatus(plane, one, { numberUnavailable: 1, numberAvailable: 7 });
    await untilQuiet(fleet);
    expect(guards.map((guard) => guard.worst())).toEqual([1, 1, 1]);
    for (const guard of guards) guard.end();
    for (const one of names) await plane.api.ok('DELETE', `${SETS}/${one}`);
  });

  it('may not be allowed nothing: maxUnavailable 0 without a surge is refused', async () => {
    await running();
    const spec = { updateStrategy: { rollingUpdate: { maxUnavailable: 0 } } };
    const refused = await plane.api.call('PATCH', `${SETS}/${name}`, { spec }, { type: STRATEGIC });
    expect(refused.status).toBe(422);
    expect(refused.json.details.causes[0].field).toBe('spec.updateStrategy.rollingUpdate.maxUnavailable');
  });
});

describe('OnDelete', () => {
  it('moves a node only when its pod was deleted, and no other', async () => {
    const set = await running({ strategy: 'OnDelete' });
    await setImage(plane, 'web:2', name);
    await untilStatus(plane, name, { observedGeneration: 2, updatedNumberScheduled: 0 });
    await untilQuiet(fleet);
    expect(fleet.births(set)).toEqual(times(1));
    const [first] = fleet.nodes;
    const pod = first?.podOf(set.metadata.uid);
    await plane.api.ok('DELETE', `${PODS}/${pod?.name}`);
    await untilStatus(plane, name, { updatedNumberScheduled: 1, numberAvailable: 8 });
    expect(first?.podOf(set.metadata.uid)?.revision).not.toBe(pod?.revision);
    await untilQuiet(fleet);
    expect(touched(set)).toEqual([first]);
  });

  it('a deleted pod under RollingUpdate comes back as it was, on the revision of its node', async () => {
    const set = await running();
    const [node] = fleet.nodes;
    const pod = node?.podOf(set.metadata.uid);
    await plane.api.ok('DELETE', `${PODS}/${pod?.name}`);
    await until('another pod', () => {
      const now = node?.podOf(set.metadata.uid);
      return now && now.uid !== pod?.uid && now.available;
    });
    expect(node?.podOf(set.metadata.uid)?.revision).toBe(pod?.revision);
    await untilRolledOut(plane, name, 8);
  });
});

describe('a node that is away', () => {
  it('but not lost yet, and ran well when it was last heard of, is granted nothing and holds nobody up', async () => {
    const set = await running();
    const [away] = fleet.nodes;
    away?.unplug();
    await until('noticed', () => !plane.hasHeard(away?.name ?? ''));
    await setImage(plane, 'web:2', name);
    await untilStatus(plane, name, { updatedNumberScheduled: 7, observedGeneration: 2 });
    await untilQuiet(fleet);
    expect(away?.births(set.metadata.uid)).toBe(1);
    away?.thaw();
    await untilRolledOut(plane, name, 8);
  });

  it('that was granted the newest and left before it ran it holds its budget', async () => {
    const set = await running();
    const [first] = fleet.nodes;
    first?.freeze();
    const guard = fleet.guard(set);
    // The first in order is granted; it hears nothing of it.
    await setImage(plane, 'web:2', name);
    await untilQuiet(fleet);
    expect(touched(set)).toEqual([]);
    first?.unplug();
    await until('noticed', () => !plane.hasHeard(first?.name ?? ''));
    await untilQuiet(fleet);
    expect(touched(set)).toEqual([]);
    first?.thaw();
    await untilRolledOut(plane, name, 8);
    expect(guard.worst()).toBe(1);
    guard.end();
  });
});

describe('a node that comes', () => {
  it('gets every DaemonSet that belongs there and no other', async () => {
    const pod = (disk: string) => ({
      pod: { nodeSelector: { disk }, containers: [{ name: 'main', image: 'i' }] },
    });
    const here = await plane.api.ok('POST', SETS, daemonSet('here', pod('ssd')));
    const elsewhere = await plane.api.ok('POST', SETS, daemonSet('elsewhere', pod('hdd')));
    const [node] = await fleet.add(1, { labels: { disk: 'ssd' } });
    await untilRolledOut(plane, 'here', 1);
    await untilStatus(plane, 'elsewhere', { desiredNumberScheduled: 0, currentNumberScheduled: 0 });
    expect([here, elsewhere].map(({ metadata }) => node?.births(metadata.uid))).toEqual([1, 0]);
    await plane.api.ok('DELETE', `${SETS}/here`);
    await plane.api.ok('DELETE', `${SETS}/elsewhere`);
  });

  it('in the middle of a stuck update gets the newest at once, like any node without a pod', async () => {
    const set = await running();
    await setImage(plane, 'broken:2', name);
    await untilStatus(plane, name, { numberUnavailable: 1 });
    const [newcomer] = await fleet.add(1);
    await until('it has its pod', () => newcomer?.births(set.metadata.uid) === 1);
    await untilStatus(plane, name, {
      desiredNumberScheduled: size(),
      updatedNumberScheduled: 2,
      numberUnavailable: 2,
    });
    await untilQuiet(fleet);
    expect(touched(set)).toHaveLength(1);
  });
});
