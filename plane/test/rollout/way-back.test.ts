// The way back through the real plane: a node that is down keeps it waiting, it says so everywhere, and goes on when the
// node is there again.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { createHollowFleet, type HollowFleet, untilRolledOut } from '../support/hollow-fleet.ts';
import type { HollowNode } from '../support/hollow-node.ts';
import { daemonSet, EVENTS, SETS } from '../support/manifests.ts';
import { POLICIES, placementOf, rolloutOf, setImage, setPolicy, untilPhase } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
let fleet: HollowFleet;
beforeEach(async () => {
  plane = await startTestPlane();
  fleet = createHollowFleet(plane);
  await fleet.add(4);
});
afterEach(async () => {
  fleet.stop();
  await plane.stop();
});

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`;
const changePolicy = (spec: Json) => plane.api.ok('PATCH', `${POLICIES}/careful`, { spec }, { type: MERGE });
const condition = async (): Promise<Json> =>
  (await plane.api.ok('GET', `${SETS}/web`)).status.conditions.find(
    ({ type }: Json) => type === 'Progressing',
  );
const eventsNamed = async (wanted: string): Promise<Json[]> =>
  (await plane.api.ok('GET', EVENTS)).items.filter(({ reason }: Json) => reason === wanted);
const untilLate = () =>
  until('it is late', async () => {
    const status = await rolloutOf(plane);
    return status.late === undefined ? undefined : status;
  });
/** One node has the new revision, and is down with it. */
const firstDown = (set: Json, before: string): Promise<HollowNode> =>
  until('one node is down', () =>
    fleet.nodes.find(({ podOf }) => {
      const pod = podOf(set.metadata.uid);
      return pod !== undefined && pod.revision !== before && !pod.available;
    }),
  );

async function begun(image: string, policy: Json) {
  await setPolicy(plane, policy);
  await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1' }));
  const set = await untilRolledOut(plane, 'web', 4);
  const stable = (await rolloutOf(plane)).newestRevision as string;
  await setImage(plane, image);
  return { set, stable, node: await firstDown(set, stable) };
}

/** Says on all ways which node it waits for, and since when. */
async function expectLate(node: HollowNode, phase: string) {
  const waitsFor = new RegExp(
    `on the way back no node came nearer in 1 s; waiting for ${node.name}: .+, since ${TIME}`,
  );
  expect(await untilLate()).toMatchObject({ phase, late: expect.stringMatching(waitsFor) });
  expect(await condition()).toMatchObject({
    status: 'False',
    reason: 'RollbackDeadlineExceeded',
    message: expect.stringMatching(waitsFor),
  });
  expect((await placementOf(plane, node.name)).late).toMatch(waitsFor);
  for (const other of fleet.nodes)
    if (other !== node) expect((await placementOf(plane, other.name)).late).toBeUndefined();
  const [told, ...more] = await until('an event tells it', async () => {
    const events = await eventsNamed('RollbackDeadlineExceeded');
    return events.length > 0 ? events : undefined;
  });
  expect(told).toMatchObject({ type: 'Warning', message: expect.stringMatching(waitsFor) });
  expect(more).toEqual([]);
}

it('of a revision that failed is late when a node does not come back, and ends when it does', async () => {
  const { set, stable, node } = await begun('crashing:2', { onFailure: 'Pause' });
  const { newestRevision } = await untilPhase(plane, 'Stopped');
  // Its agent hears nothing of the rollback.
  node.freeze();
  await changePolicy({ onFailure: 'Rollback', progressDeadlineSeconds: 1 });
  await plane.api.ok(
    'PATCH',
    `${SETS}/web`,
    { metadata: { annotations: { 'fleetset.dev/retry': `${newestRevision}/1` } } },
    { type: MERGE },
  );
  await expectLate(node, 'RollingBack');
  node.thaw();
  expect(await untilPhase(plane, 'RolledBack')).not.toHaveProperty('late');
  await until('it is told', async () => (await condition()).reason === 'FailureThresholdExceeded');
  expect(await condition()).toMatchObject({ status: 'False' });
  expect(node.podOf(set.metadata.uid)).toMatchObject({ revision: stable, available: true });
});

it('of an undo is late when a node does not come back, and ends when it does', async () => {
  const { set, stable, node } = await begun('broken:2', {});
  node.freeze();
  await setImage(plane, 'web:1');
  await changePolicy({ progressDeadlineSeconds: 1 });
  await expectLate(node, 'Progressing');
  node.thaw();
  expect(await untilPhase(plane, 'Complete')).not.toHaveProperty('late');
  await until('it is told', async () => (await condition()).reason === 'RolloutComplete');
  expect(await condition()).toMatchObject({ status: 'True' });
  expect(node.podOf(set.metadata.uid)).toMatchObject({ revision: stable, available: true });
});
