// Updates under a surge through the real plane, on nodes that run the new pod beside the old one: no node goes down, as
// many run two pods as maxSurge says, what fails goes back, and a surge that is switched off ends as one.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Json, STRATEGIC } from '../support/api-client.ts';
import {
  createHollowFleet,
  type HollowFleet,
  untilQuiet,
  untilRolledOut,
  untilStatus,
} from '../support/hollow-fleet.ts';
import { daemonSet, EVENTS, SETS } from '../support/manifests.ts';
import { placementOf, rolloutOf, setImage, untilPhase } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const SIZE = 6;
let plane: TestPlane;
let fleet: HollowFleet;
let name = '';
let count = 0;
beforeAll(async () => {
  plane = await startTestPlane();
  fleet = createHollowFleet(plane);
  await fleet.add(SIZE);
});
afterAll(async () => {
  fleet.stop();
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});
afterEach(() => plane.api.call('DELETE', `${SETS}/${name}`));

const surge = (maxSurge: number | string) => ({
  updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge } },
});
async function running(maxSurge: number | string): Promise<Json> {
  name = `surge${++count}`;
  await plane.api.ok('POST', SETS, daemonSet(name, { image: 'web:1', spec: surge(maxSurge) }));
  return untilRolledOut(plane, name, SIZE);
}
const patch = (spec: Json) => plane.api.ok('PATCH', `${SETS}/${name}`, { spec }, { type: STRATEGIC });
const doubled = (set: Json) => fleet.nodes.filter((node) => node.besideOf(set.metadata.uid));
const untilDoubled = (set: Json, most: number) =>
  until(`${most} nodes run two`, () => doubled(set).length === most);
const pods = (set: Json) => fleet.nodes.map((node) => node.podOf(set.metadata.uid)?.uid);

describe('an update', () => {
  it.each([
    [1, 1],
    [2, 2],
    ['25%', 2],
    ['100%', 6],
  ])('with maxSurge %s of 6 nodes takes none down, and %i run both pods', async (maxSurge, most) => {
    const set = await running(maxSurge);
    const guard = fleet.guard(set);
    await setImage(plane, 'web:2', name);
    await untilRolledOut(plane, name, SIZE);
    expect(guard.worst()).toBe(0);
    expect(guard.mostDoubled()).toBeLessThanOrEqual(most);
    expect(fleet.births(set)).toEqual(Array(SIZE).fill(2));
    guard.end();
  });

  it('that never becomes available comes to maxSurge nodes, and stops no pod', async () => {
    const set = await running(2);
    const before = pods(set);
    await setImage(plane, 'broken:2', name);
    await untilDoubled(set, 2);
    await untilQuiet(fleet);
    expect(doubled(set)).toHaveLength(2);
    expect(pods(set)).toEqual(before);
    // Rule 25: the counters go by the old pods.
    await untilStatus(plane, name, {
      numberAvailable: SIZE,
      updatedNumberScheduled: 0,
      numberUnavailable: 0,
    });
    expect(await rolloutOf(plane, name)).toMatchObject({ maxSurge: 2, updating: 2 });
    expect(await rolloutOf(plane, name)).not.toHaveProperty('maxUnavailable');
    const first = doubled(set)[0]?.name ?? '';
    expect((await placementOf(plane, first, name)).pods).toMatchObject([
      { available: true },
      { available: false },
    ]);
    const waits = fleet.nodes.find((node) => !node.besideOf(set.metadata.uid))?.name ?? '';
    expect((await placementOf(plane, waits, name)).waiting).toBe(
      `waits for its turn: 2 of at most 2 nodes are being updated or down (${first}, ...)`,
    );
    // A better one replaces it there first, and then goes on.
    const guard = fleet.guard(set);
    await setImage(plane, 'web:3', name);
    await untilRolledOut(plane, name, SIZE);
    expect([guard.worst(), guard.mostDoubled()]).toEqual([0, 2]);
    guard.end();
  });

  it('that crashes goes back by itself, though the old pods run on, and says why', async () => {
    const set = await running(1);
    const before = pods(set);
    await setImage(plane, 'crashing:2', name);
    await untilPhase(plane, 'RolledBack', name);
    await until('no new pod is left', () => doubled(set).length === 0);
    expect(pods(set)).toEqual(before);
    const { items } = await plane.api.ok('GET', EVENTS);
    const failed = items.filter(({ reason }: Json) => reason === 'RolloutNodeFailed');
    expect(failed.at(-1).message).toMatch(/container main crashes again and again/);
  });

  it('goes on over a restart of the plane, and no more nodes run both', async () => {
    const set = await running(1);
    const guard = fleet.guard(set);
    await setImage(plane, 'broken:2', name);
    await untilDoubled(set, 1);
    await plane.restart();
    await until('all are heard', () => fleet.nodes.every((node) => plane.hasHeard(node.name)));
    await untilQuiet(fleet);
    await setImage(plane, 'web:3', name);
    await untilRolledOut(plane, name, SIZE);
    expect([guard.worst(), guard.mostDoubled()]).toEqual([0, 1]);
    guard.end();
  });
});

describe('a surge that is switched', () => {
  const ROLLING = { updateStrategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } } };

  it('off in the middle ends as one where it began, and no more go down than maxUnavailable', async () => {
    const set = await running(3);
    const guard = fleet.guard(set);
    await setImage(plane, 'broken:2', name);
    await untilDoubled(set, 3);
    await patch(ROLLING);
    await until(
      'the others hear of it',
      () => fleet.nodes.filter((node) => node.surges(set.metadata.uid)).length === 3,
    );
    await untilQuiet(fleet);
    expect(guard.worst()).toBe(0);
    await setImage(plane, 'web:3', name);
    await untilRolledOut(plane, name, SIZE);
    expect(guard.worst()).toBe(1);
    await until('it is over everywhere', () => fleet.nodes.every((node) => !node.surges(set.metadata.uid)));
    expect(fleet.births(set)).toEqual([3, 3, 3, 2, 2, 2]);
    guard.end();
  });

  it('on in the middle takes no more down, and who went down with the update uses it up', async () => {
    const set = await running('50%');
    await patch(ROLLING);
    const guard = fleet.guard(set);
    await setImage(plane, 'broken:2', name);
    await until('one is down', () => guard.downNow().length === 1);
    await patch(surge(1));
    await untilQuiet(fleet);
    // Unlike rule 43: the one that is down with it keeps it from the next.
    expect([guard.worst(), guard.mostDoubled()]).toEqual([1, 0]);
    await setImage(plane, 'web:3', name);
    await untilRolledOut(plane, name, SIZE);
    expect([guard.worst(), guard.mostDoubled()]).toEqual([1, 1]);
    guard.end();
  });
});
