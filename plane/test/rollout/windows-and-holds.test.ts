// Maintenance windows and local holds through the real plane: by a wall clock that the test sets, the loop wakes when a
// window opens, and what a held node was granted is taken back.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { createHollowFleet, type HollowFleet, untilQuiet, untilRolledOut } from '../support/hollow-fleet.ts';
import { daemonSet, SETS } from '../support/manifests.ts';
import { POLICIES, placementOf, policyOf, rolloutOf, setImage } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

/** A Saturday. */
const NIGHT = Date.parse('2026-11-28T00:00:00Z');
const HOUR = 3_600_000;

let plane: TestPlane;
let fleet: HollowFleet;
let offMs = 0;
/** It goes on from there. */
const setClock = (instant: number) => {
  offMs = instant - Date.now();
};
beforeEach(async () => {
  setClock(NIGHT);
  plane = await startTestPlane({ clockOffMs: () => offMs });
  fleet = createHollowFleet(plane);
});
afterEach(async () => {
  fleet.stop();
  await plane.stop();
});

const policy = (spec: Json) => plane.api.call('POST', POLICIES, policyOf(spec));
const running = async (count: number) => {
  await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1' }));
  return untilRolledOut(plane, 'web', count);
};
const births = (set: Json) => fleet.births(set);
const namesOf = () => fleet.nodes.map(({ name }) => name) as [string, string, string];
const untilWaits = (node: string, why: RegExp) =>
  until(`${node} waits: ${why}`, async () => {
    const status = await placementOf(plane, node);
    return why.test(status.waiting ?? '') ? status : undefined;
  });

describe('a maintenance window', () => {
  it('lets each node be changed at its own night, and the loop wakes when it opens', async () => {
    await fleet.add(1, { maintenance: { timeZone: 'Europe/Berlin', ownWindows: undefined } });
    await fleet.add(1, { labels: { 'fleetset.dev/time-zone': 'America.New_York' } });
    await fleet.add(1);
    const [berlin, newYork, utc] = namesOf();
    await policy({
      maintenanceWindows: [{ schedule: '0 2 * * *', duration: '1h' }],
    });
    const set = await running(3);
    // Less than a second before it opens in Berlin.
    setClock(NIGHT + HOUR - 700);
    await setImage(plane, 'web:2');
    const waits = await untilWaits(newYork, /./);
    expect(waits.waiting).toBe('its maintenance window opens on Sat 2026-11-28 02:00 (America/New_York)');
    expect(waits).toMatchObject({ state: 'Waiting', closed: waits.waiting });
    expect((await placementOf(plane, utc)).closed).toContain('2026-11-28 02:00 (UTC)');
    await until('Berlin moves', () => births(set)[0] === 2);
    await untilQuiet(fleet);
    expect(births(set)).toEqual([2, 1, 1]);
    expect(await rolloutOf(plane)).toMatchObject({ phase: 'Progressing', closed: 2, failures: {} });
    expect((await placementOf(plane, berlin)).closed).toBeUndefined();
    // What was said of the clock counts at the next look, which any change brings about.
    setClock(NIGHT + 7 * HOUR);
    await plane.api.ok('PATCH', `${POLICIES}/careful`, { metadata: { labels: { a: 'b' } } }, { type: MERGE });
    await until('New York moves', () => births(set)[1] === 2);
    await untilQuiet(fleet);
    expect(births(set)).toEqual([2, 2, 1]);
    await plane.api.ok('DELETE', `${POLICIES}/careful`);
    await untilRolledOut(plane, 'web', 3);
  });

  it('holds no node that has no pod, and none that it is not for', async () => {
    await fleet.add(1, { labels: { site: 'lab' } });
    await fleet.add(2);
    await policy({
      maintenanceWindows: [{ schedule: '0 2 * * *', duration: '1h', nodeSelector: { site: 'lab' } }],
    });
    const set = await running(3);
    await setImage(plane, 'web:2');
    await until('the others move', () => String(births(set)) === '1,2,2');
    const [added] = await fleet.add(1, { labels: { site: 'lab' } });
    await until('it has a pod', () => added?.podOf(set.metadata.uid)?.available);
    await untilQuiet(fleet);
    expect(births(set)).toEqual([1, 2, 2, 1]);
  });

  it('of the node itself counts instead, without any policy, too', async () => {
    const own = { windows: [{ schedule: '0 3 * * *', duration: '1h', timeZone: '' }] };
    await fleet.add(1, { maintenance: { timeZone: 'UTC', ownWindows: own } });
    await fleet.add(1, { maintenance: { timeZone: 'UTC', ownWindows: { windows: [] } } });
    const set = await running(2);
    await setImage(plane, 'web:2');
    const status = await untilWaits(namesOf()[0], /./);
    expect(status.waiting).toBe('its maintenance window opens on Sat 2026-11-28 03:00 (UTC)');
    await until('the other moves', () => births(set)[1] === 2);
    await policy({ maintenanceWindows: [{ schedule: '0 12 * * *', duration: '1h' }] });
    await setImage(plane, 'web:3');
    await until('the other moves, whatever the policy says', () => births(set)[1] === 3);
    await untilQuiet(fleet);
    expect(births(set)[0]).toBe(1);
  });

  it('that is wrong is refused with the field, and so is a time zone of a node that nobody knows', async () => {
    const { status, json } = await policy({
      maintenanceWindows: [
        { schedule: '0 25 * * *', duration: '0s', timeZone: 'Mars/Base' },
        { schedule: '0 2 * * 6', duration: '4h' },
      ],
    });
    expect(status).toBe(422);
    expect(json.details.causes.map(({ field }: Json) => field)).toEqual([
      'spec.maintenanceWindows[0].schedule',
      'spec.maintenanceWindows[0].duration',
      'spec.maintenanceWindows[0].timeZone',
    ]);
    await fleet.add(1);
    const label = (value: string) =>
      plane.api.call(
        'PATCH',
        `/api/v1/nodes/${namesOf()[0]}`,
        { metadata: { labels: { 'fleetset.dev/time-zone': value } } },
        { type: MERGE },
      );
    const refused = await label('Mars.Base');
    expect(refused.status).toBe(422);
    expect(refused.json.message).toContain('metadata.labels[fleetset.dev/time-zone]');
    expect((await label('Europe.Berlin')).status).toBe(200);
  });
});

describe('a held node', () => {
  it('is left alone while the others move, is told of wherever one looks, and follows', async () => {
    const [held] = await fleet.add(3);
    const set = await running(3);
    const guard = fleet.guard(set);
    held?.hold('its disk is replaced');
    await until('the plane knows', async () => (await placementOf(plane, namesOf()[0])).held !== undefined);
    await setImage(plane, 'web:2');
    await until('the others move', () => String(births(set)) === '1,2,2');
    await untilQuiet(fleet);
    expect(await rolloutOf(plane)).toMatchObject({
      phase: 'Progressing',
      unavailable: 0,
      closed: 1,
      failures: {},
    });
    expect((await placementOf(plane, namesOf()[0])).waiting).toBe(
      'held by somebody until 2030-01-02T03:04:05Z: its disk is replaced',
    );
    held?.hold(undefined);
    await untilRolledOut(plane, 'web', 3);
    expect(guard.worst()).toBe(1);
    guard.end();
  });

  it('that was granted the update already gives it back: it blocks nobody and fails nothing', async () => {
    await fleet.add(3);
    const set = await running(3);
    const [first] = fleet.nodes;
    const stable = (await rolloutOf(plane)).newestRevision;
    // It does not hear the plane, is held meanwhile, and says so when it has heard of its grant.
    first?.freeze();
    await setImage(plane, 'web:2');
    const granted = async () => (await placementOf(plane, namesOf()[0])).grantedRevision;
    await until('it is granted the update', async () => (await granted()) !== stable);
    first?.hold('its disk is replaced');
    first?.thaw();
    await until('its grant is taken back', async () => (await granted()) === stable);
    await until('the others move', () => String(births(set)) === '1,2,2');
    await untilQuiet(fleet);
    expect(await rolloutOf(plane)).toMatchObject({
      phase: 'Progressing',
      unavailable: 0,
      closed: 1,
      failures: {},
    });
    first?.hold(undefined);
    await untilRolledOut(plane, 'web', 3);
    expect(births(set)).toEqual([2, 2, 2]);
  });
});
